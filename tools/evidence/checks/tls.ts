/** Checks of the handshake, by real ones. */
import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import tls, { type ConnectionOptions } from 'node:tls';
import { parse, stringify } from 'yaml';
import type { Zone } from '../../../protocol/shapes.ts';
import { pinOf } from '../../../protocol/text.ts';
import { connectPinned } from '../../lib/pinned-tls.ts';
import type { ReachCheck, RunCheck } from '../check.ts';
import type { Reached } from '../scene/live-relay.ts';
import type { Listener } from '../scene/scene.ts';

const TLS_OPTIONS = 'relay/http/tls-options.ts';
const PATIENCE_MS = 5000;
const OTHER_PIN = pinOf(new Uint8Array(32));

const PQ: ConnectionOptions = { minVersion: 'TLSv1.3', ecdhCurve: 'X25519MLKEM768', sigalgs: 'mldsa65' };

/** What a peer may offer, and whether a pq listener is to agree. */
const OFFERS: readonly (readonly [string, ConnectionOptions, 'agreed' | 'refused'])[] = [
  ['TLS 1.3, X25519MLKEM768, ML-DSA-65', { ecdhCurve: 'X25519MLKEM768', sigalgs: 'mldsa65' }, 'agreed'],
  ['TLS 1.3, X25519, ML-DSA-65', { ecdhCurve: 'X25519', sigalgs: 'mldsa65' }, 'refused'],
  ['TLS 1.3, P-256, ML-DSA-65', { ecdhCurve: 'P-256', sigalgs: 'mldsa65' }, 'refused'],
  ['TLS 1.3, X25519MLKEM768, ECDSA', { ecdhCurve: 'X25519MLKEM768', sigalgs: 'ecdsa_secp256r1_sha256' }, 'refused'],
  ['TLS 1.2', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }, 'refused'],
];

export const TLS_CHECKS: readonly (RunCheck | ReachCheck)[] = [
  {
    id: 'tls-offer',
    layer: 'run',
    reaches: true,
    async look(scene, see) {
      for (const listener of await pqListeners(scene)) {
        for (const [name, offer, wanted] of OFFERS)
          see(`${listener.zone}: ${name}`, await shakeHands(listener, offer), wanted);
      }
    },
    sabotages: {
      'classic-group': {
        mutations: [
          {
            file: TLS_OPTIONS,
            find: "ecdhCurve: 'X25519MLKEM768', sigalgs",
            replace: "ecdhCurve: 'X25519MLKEM768:X25519', sigalgs",
          },
        ],
      },
      'classic-key': {
        mutations: [
          { file: TLS_OPTIONS, find: "mode === 'pq' ? identity.tls : identity.classic", replace: 'identity.classic' },
          { file: TLS_OPTIONS, find: "sigalgs: 'mldsa65'", replace: "sigalgs: 'ecdsa_secp256r1_sha256'" },
        ],
      },
    },
  },
  {
    id: 'tls-own-certificate',
    layer: 'run',
    reaches: true,
    async look(scene, see) {
      for (const { zone } of await pqListeners(scene)) {
        const certificate = await certificateOf(scene, zone);
        see(`${zone}: issuer`, certificate.issuer, certificate.subject);
        see(`${zone}: signed by its own key`, certificate.verify(certificate.publicKey) ? 'yes' : 'no', 'yes');
      }
    },
    sabotages: {
      'foreign-issuer': {
        mutations: [
          {
            file: 'relay/http/certificate.ts',
            find: '    algorithm,\n    name,\n    sequence(utcTime',
            replace:
              "    algorithm,\n    sequence(set(sequence(objectIdentifier('2.5.4.3'), utf8String('An authority')))),\n    sequence(utcTime",
          },
        ],
      },
    },
  },
  {
    id: 'tls-no-resumption',
    layer: 'run',
    reaches: true,
    async look(scene, see) {
      for (const { zone } of await pqListeners(scene)) {
        const { host, port } = await scene.peer(zone);
        const ca = (await certificateOf(scene, zone)).toString();
        const options = { host, port, ca, servername: '', checkServerIdentity: () => undefined, ...PQ };
        const first = await converse(options);
        see(`${zone}: first connection`, first.reused ? 'resumed' : 'anew', 'anew');
        if (first.session === undefined) continue;
        const second = await converse({ ...options, session: first.session });
        see(`${zone}: second connection`, second.reused ? 'resumed' : 'anew', 'anew');
      }
    },
    sabotages: {
      tickets: { mutations: [{ file: TLS_OPTIONS, find: 'secureOptions: constants.SSL_OP_NO_TICKET,', replace: '' }] },
    },
  },
  {
    id: 'tls-no-plaintext',
    layer: 'run',
    reaches: true,
    async look(scene, see) {
      for (const { zone, address, port, tls: mode } of (await scene.relay()).listeners) {
        see(`${zone} ${mode}: answers to HTTP`, await speaksHttp(address, port), 'no');
      }
    },
    sabotages: {
      'plain-listener': {
        change: (written) => ({
          ...written,
          listeners: written.listeners.map((each, i, all) => (i === all.length - 1 ? { ...each, tls: 'off' } : each)),
        }),
      },
    },
  },
  {
    id: 'pin-refused',
    layer: 'run',
    async look(scene, see) {
      await scene.relay();
      const config = join(scene.folder, 'hosts', 'historian');
      const words = ['receiver', '--check', '--device-id', 'historian', '--config-dir', config];
      const check = [...words, '--state-dir', join(scene.folder, 'state'), '--json'];
      await scene.registered('plc', 'ot');
      see('exit code with the pin of the relay', (await scene.run(check)).code, 0);
      repin(join(config, 'config.yaml'));
      const { code, stdout } = await scene.run(check);
      see('exit code with another pin', code, 1);
      see('what it says', /"code":"([a-z-]+)"/.exec(stdout)?.[1] ?? 'nothing', 'pin-mismatch');
    },
    sabotages: {
      'pin-ignored': {
        mutations: [
          { file: 'tools/lib/pinned-tls.ts', find: '!peer.pins.includes(actual)', replace: 'peer.pins.length === 0' },
        ],
      },
    },
  },
];

/** The first pq listener of each zone. */
export async function pqListeners(scene: Reached) {
  const { listeners } = await scene.relay();
  return listeners.filter((each, i) => {
    const first = listeners.findIndex(({ zone, tls: mode }) => zone === each.zone && mode === 'pq');
    return first === i;
  });
}

async function certificateOf(scene: Reached, zone: Zone): Promise<X509Certificate> {
  const seen = Promise.withResolvers<X509Certificate>();
  const socket = await connectPinned(await scene.peer(zone), PATIENCE_MS, seen.resolve);
  socket.destroy();
  return seen.promise;
}

/** Asks once over a connection; gives whether it was resumed, and the newest session that it was handed. */
async function converse(options: ConnectionOptions): Promise<{ readonly reused: boolean; readonly session?: Buffer }> {
  const socket = tls.connect(options);
  let session: Buffer | undefined;
  socket.on('session', (given: Buffer) => {
    session = given;
  });
  socket.write('GET /nothing HTTP/1.1\r\nhost: relay\r\n\r\n');
  await once(socket, 'data', { signal: AbortSignal.timeout(PATIENCE_MS) });
  const reused = socket.isSessionReused();
  socket.destroy();
  return { reused, ...(session ? { session } : {}) };
}

/** Whether the listener completes a handshake of this offer; who signed its certificate does not matter here. */
function shakeHands({ address: host, port }: Listener, offer: ConnectionOptions) {
  return new Promise<'agreed' | 'refused' | 'silent'>((resolve) => {
    const socket = tls.connect({ host, port, servername: '', minVersion: 'TLSv1.3', ...offer });
    const end = (answer: 'agreed' | 'refused' | 'silent'): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PATIENCE_MS, () => end('silent'));
    socket.once('secureConnect', () => end('agreed'));
    // Node verifies only after the handshake: such an error says that the listener agreed.
    socket.on('error', ({ code = '' }: NodeJS.ErrnoException) =>
      end(/SELF_SIGNED|UNABLE_TO|CERT_|ALTNAME/.test(code) ? 'agreed' : 'refused'),
    );
  });
}

/** Whether a request without TLS gets an answer of HTTP. */
function speaksHttp(host: string, port: number): Promise<'yes' | 'no'> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    let heard = '';
    const end = (): void => {
      socket.destroy();
      resolve(heard.startsWith('HTTP/') ? 'yes' : 'no');
    };
    socket.setTimeout(PATIENCE_MS, end);
    socket.on('error', end).on('end', end).on('close', end);
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      end();
    });
    socket.write('GET /health HTTP/1.1\r\nhost: relay\r\n\r\n');
  });
}

/** Puts another pin into every profile of a configuration file. */
function repin(path: string): void {
  const config = parse(readFileSync(path, 'utf8')) as { profiles: Record<string, object> };
  const profiles = Object.entries(config.profiles).map(([name, each]) => [name, { ...each, relayPins: [OTHER_PIN] }]);
  writeFileSync(path, stringify({ profiles: Object.fromEntries(profiles) }));
}
