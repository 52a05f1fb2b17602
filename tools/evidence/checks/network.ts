/** Checks of where the twin listens, where it connects to, and what it passes on: none of it is asked of the twin. */
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { CALLS, type Call } from '../../../protocol/config.ts';
import { ZONES, type Zone } from '../../../protocol/shapes.ts';
import { connectPinned } from '../../lib/pinned-tls.ts';
import type { ReachCheck, RunCheck } from '../check.ts';
import { CALL_FORMS } from '../scene/calls.ts';
import { carry } from '../scene/carrying.ts';
import type { Reached } from '../scene/live-relay.ts';
import type { DeviceName } from '../scene/template.ts';
import { callsOf, questionOf } from './access.ts';
import { pqListeners } from './tls.ts';

const LISTENER = 'relay/http/listener.ts';
const MAIN_IMPORT = "import { parseArgs } from 'node:util';";
const PATIENCE_MS = 5000;
/** State of a listening socket in /proc/net/tcp. */
const LISTENING = '0A';
const OF_ZONE: Readonly<Record<Zone, DeviceName>> = { ot: 'plc', it: 'historian', management: 'auditor' };

export const NETWORK_CHECKS: readonly (RunCheck | ReachCheck)[] = [
  {
    id: 'no-forwarding',
    layer: 'run',
    reaches: true,
    async look(scene, see) {
      const other = await listenBeyond();
      try {
        for (const { zone } of await pqListeners(scene)) {
          const place = `127.0.0.1:${other.port}`;
          const ways = {
            CONNECT: `CONNECT ${place} HTTP/1.1\r\nhost: ${place}\r\n\r\n`,
            'an absolute address': `GET http://${place}/nothing HTTP/1.1\r\nhost: ${place}\r\n\r\n`,
            'an upgrade': 'GET /nothing HTTP/1.1\r\nhost: relay\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
          };
          for (const [name, request] of Object.entries(ways)) {
            const status = await statusOf(scene, zone, request);
            const isRefused = status === 0 || status >= 400;
            see(`${zone}: ${name}`, isRefused ? 'refused' : 'taken', 'refused');
          }
        }
        see('connections that came through', other.heard(), 0);
      } finally {
        other.close();
      }
    },
    sabotages: {
      proxy: {
        mutations: [
          {
            file: LISTENER,
            find: 'server.maxHeadersCount = MAX_HEADERS + 1;',
            replace: `server.maxHeadersCount = MAX_HEADERS + 1;
  server.on('connect', async (request: http.IncomingMessage, socket: Socket) => {
    const { connect } = await import('node:net');
    const [host, port] = request.url!.split(':');
    const out = connect(Number(port), host, () => socket.write('HTTP/1.1 200 OK\\r\\n\\r\\n'));
    out.pipe(socket).pipe(out);
  });`,
          },
        ],
      },
    },
  },
  {
    id: 'no-outbound',
    layer: 'run',
    async look(scene, see) {
      await carry(scene);
      const { pid, listeners } = await scene.relay();
      const ports = new Set(listeners.map(({ port }) => port));
      const sockets = socketsOf(pid);
      see('sockets seen', sockets.length, listeners.length, 'at-least');
      const out = sockets.filter(({ state, localPort }) => state !== LISTENING && !ports.has(localPort));
      see('connections that the relay opened', out.length, 0);
    },
    sabotages: {
      'calls-home': {
        mutations: [
          {
            file: 'relay/main.ts',
            find: MAIN_IMPORT,
            replace: `${MAIN_IMPORT}
import { connect, createServer, type AddressInfo } from 'node:net';
const home = createServer().listen(0, '127.0.0.1', () => {
  connect((home.address() as AddressInfo).port, '127.0.0.1').unref();
}).unref();`,
          },
        ],
      },
    },
  },
  {
    id: 'ports-as-told',
    layer: 'run',
    async look(scene, see) {
      const { pid } = await scene.relay();
      const told = scene.written.listeners.map(({ address, port }) => `${address}:${port}`).sort();
      const listening = socketsOf(pid)
        .filter(({ state }) => state === LISTENING)
        .map(({ address, localPort }) => `${address}:${localPort}`)
        .sort();
      see('sockets that listen', listening.length, told.length);
      see('listeners without a socket', told.filter((each) => !listening.includes(each)).length, 0);
      see('sockets without a listener', listening.filter((each) => !told.includes(each)).length, 0);
    },
    sabotages: {
      'extra-port': {
        mutations: [
          {
            file: 'relay/main.ts',
            find: MAIN_IMPORT,
            replace: `${MAIN_IMPORT}\nimport { createServer } from 'node:net';\ncreateServer().listen(0, '127.0.0.1').unref();`,
          },
        ],
      },
    },
  },
  {
    id: 'calls-as-told',
    layer: 'run',
    async look(scene, see) {
      for (const zone of ZONES) {
        const device = OF_ZONE[zone];
        await scene.registered(device, zone);
        const { apiKey } = scene.enrolment(device);
        const told = await callsOf(scene, zone);
        const answers = CALLS.filter((call) => !told.includes(call)).map(
          async (call) => (await scene.ask(zone, questionOf(call, apiKey))).status,
        );
        const served = (await Promise.all(answers)).filter((status) => status !== 404);
        see(`${zone}: calls beyond its list that are served`, served.length, 0);
        if (told.includes('openapi')) {
          const { body } = await scene.ask(zone, { path: '/openapi.json' });
          const described = describedCalls(body.toString('utf8'));
          const beyond = described.filter((call) => call === undefined || !told.includes(call));
          see(`${zone}: calls that it describes beyond its list`, beyond.length, 0);
          see(
            `${zone}: calls of its list that it does not describe`,
            told.filter((call) => !described.includes(call)).length,
            0,
          );
        }
      }
    },
    sabotages: {
      'all-calls': {
        mutations: [{ file: LISTENER, find: 'if (listener.calls.includes(route.call)) serve', replace: 'serve' }],
      },
    },
  },
];

/** The call behind each operation of a description; undefined for one that is of no known call. */
function describedCalls(openapi: string): (Call | undefined)[] {
  const { paths } = JSON.parse(openapi) as { paths: Record<string, object> };
  return Object.entries(paths).flatMap(([path, operations]) => {
    // An epoch of the log has the same calls below a path of its own.
    const own = path.replace('/v2/ct/epochs/{epoch}', '').replace(/^\/(epoch|tail)$/, '/v2/ct/epoch');
    const parts = own.split(/\{[^}]*\}|\*/).map((part) => RegExp.escape(part));
    const form = new RegExp(`^${parts.join('[^?]+')}(\\?.*)?$`);
    return Object.keys(operations).map((method) =>
      CALLS.find((call) => CALL_FORMS[call].method === method.toUpperCase() && form.test(CALL_FORMS[call].path)),
    );
  });
}

/** A host on the other side, which counts who reaches it. */
async function listenBeyond(): Promise<{ readonly port: number; heard(): number; close(): void }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, heard: () => connections, close: () => void server.close() };
}

/** The status that a bare request is answered with; 0 when the connection ends without one. */
async function statusOf(scene: Reached, zone: Zone, request: string): Promise<number> {
  const socket = await connectPinned(await scene.peer(zone));
  return new Promise((resolve) => {
    let heard = '';
    const end = (): void => {
      socket.destroy();
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(heard)?.[1] ?? 0));
    };
    socket.setTimeout(PATIENCE_MS, end);
    socket.on('error', end).on('close', end);
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      end();
    });
    socket.write(request);
  });
}

interface OpenSocket {
  readonly address: string;
  readonly localPort: number;
  /** As /proc/net/tcp writes it; empty for a datagram socket. */
  readonly state: string;
}

/** The sockets that a process holds, by proc(5); those of datagrams count as opened by it. */
function socketsOf(pid: number): OpenSocket[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap(
      (fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? [],
    ),
  );
  return ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'latin1')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((cells) => own.has(cells[9] ?? ''))
      .map((cells) => {
        const [address, port] = cells[1]!.split(':');
        const state = table.startsWith('tcp') ? cells[3]! : '';
        return { address: addressOf(address!), localPort: Number.parseInt(port!, 16), state };
      }),
  );
}

/** Four bytes in the order of the machine, or the sixteen of IPv6 as they stand. */
function addressOf(hex: string): string {
  if (hex.length !== 8) return hex;
  return [...Buffer.from(hex, 'hex')].reverse().join('.');
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}
