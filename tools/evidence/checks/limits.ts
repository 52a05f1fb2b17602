/** Checks of what a device or a stranger can take from others, and of what the figures show of it. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { parseRelayConfig } from '../../../protocol/config.ts';
import { itemOf } from '../../../protocol/control.ts';
import { asProblem } from '../../../protocol/problem.ts';
import { toHex } from '../../../protocol/text.ts';
import type { RunCheck } from '../check.ts';
import { UNKNOWN_KEY } from '../scene/calls.ts';
import { carry, claim, open, seal, submit } from '../scene/carrying.ts';
import type { Scene } from '../scene/scene.ts';

const QUOTA = 2;
const CONNECTIONS = 'relay/http/connections.ts';

export const LIMIT_CHECKS: readonly RunCheck[] = [
  {
    id: 'limit-connections',
    layer: 'run',
    async look(scene, see) {
      await scene.registered('plc', 'ot');
      const { apiKey } = scene.enrolment('plc');
      const { connections, connectionsPerPeer } = parseRelayConfig(scene.written).limits;
      const { host, port } = await scene.peer('ot');
      const tried = Math.min(connections, 2 * connectionsPerPeer);
      const sockets = await Promise.all(Array.from({ length: tried }, () => connectPlain(host, port)));
      await setTimeout(500);
      const held = sockets.filter(({ closed, destroyed }) => !closed && !destroyed).length;
      see('connections that a stranger tried', tried, connectionsPerPeer + 1, 'at-least');
      see('connections that a stranger holds', held, connectionsPerPeer, 'at-most');
      see('a call of a device meanwhile', (await scene.ask('ot', { path: '/v2/roster', apiKey })).status, 200);
      for (const socket of sockets) socket.destroy();
    },
    sabotages: {
      'no-limit': {
        mutations: [
          { file: CONNECTIONS, find: 'if (own.size > this.#limits.connectionsPerPeer)', replace: 'if (own.size < 0)' },
          { file: CONNECTIONS, find: 'if (full)', replace: 'if (full && this.#open.size < 0)' },
        ],
      },
    },
  },
  {
    id: 'limit-slots',
    layer: 'run',
    prepare: (written) => ({ ...written, limits: { ...(written.limits as object), slotsPerSender: QUOTA } }),
    async look(scene, see) {
      const [first, second] = [await scene.registered('plc', 'ot'), await scene.registered('plc2', 'ot')];
      await scene.registered('historian', 'it');
      const hand = (name: 'plc' | 'plc2') =>
        submit(name === 'plc' ? first : second, seal(scene, name, 'historian', new Uint8Array(randomBytes(64)))).then(
          () => 'taken',
          (thrown) => asProblem(thrown).code,
        );
      for (let i = 1; i <= QUOTA; i++) see(`block ${i} of a sender`, await hand('plc'), 'taken');
      see('one block more', await hand('plc'), 'quota-exceeded');
      see('a block of another sender', await hand('plc2'), 'taken');
    },
    sabotages: {
      'no-quota': {
        mutations: [{ file: 'relay/store/quotas.ts', find: 'if (own >= slotsPerSender)', replace: 'if (own < 0)' }],
      },
    },
  },
  {
    id: 'limit-failures',
    layer: 'run',
    prepare: (written) => ({ ...written, limits: { ...(written.limits as object), failuresPerMinute: 10 } }),
    async look(scene, see) {
      const headers = { 'content-type': 'application/json' };
      const register = { method: 'POST', path: '/v2/did/register', headers, apiKey: UNKNOWN_KEY, body: '{}' };
      see('attempts refused unread before', await figure(scene, 'ghostpipe_throttled_total'), 0);
      for (let i = 0; i < 15; i++) await scene.ask('ot', register);
      see('attempts refused unread after', await figure(scene, 'ghostpipe_throttled_total'), 1, 'at-least');
      await scene.registered('plc', 'ot');
      const { apiKey } = scene.enrolment('plc');
      see('a call of a device from there', (await scene.ask('ot', { path: '/v2/roster', apiKey })).status, 200);
    },
    sabotages: {
      'no-throttle': {
        mutations: [
          {
            file: 'relay/http/strangers.ts',
            find: 'if (!this.#throttle.isSpent(source, this.#options.now())) return;',
            replace: 'if (source) return;',
          },
        ],
      },
    },
  },
  {
    id: 'figures-tell',
    layer: 'run',
    async look(scene, see) {
      const refusals = 'ghostpipe_refusals_total{code="not-available"}';
      const delivered = 'ghostpipe_blocks_burned_total{state="delivered"}';
      const before = [await figure(scene, refusals), await figure(scene, delivered)];
      await scene.ask('ot', { path: '/nothing' });
      await carry(scene);
      await setTimeout(200);
      see('refusals counted', (await figure(scene, refusals)) - before[0]!, 1, 'at-least');
      see('deliveries counted', (await figure(scene, delivered)) - before[1]!, 1);
      const health = await scene.ask('management', { path: '/health' });
      see('health', (JSON.parse(health.body.toString('utf8')) as { status: string }).status, 'ready');
    },
    sabotages: {
      blind: { mutations: [{ file: 'relay/http/listener.ts', find: 'metrics.refusal(code);', replace: '' }] },
    },
  },
  {
    id: 'transfer-bound',
    layer: 'run',
    async look(scene, see) {
      const sender = await scene.registered('plc', 'ot');
      await scene.registered('plc2', 'ot');
      const reader = await scene.registered('historian', 'it');
      const mirror = await scene.registered('mirror', 'it');
      const transferId = await submit(sender, seal(scene, 'plc', 'historian', new Uint8Array(randomBytes(64))));
      const path = (call: string) => `/v2/${call}/${toHex(transferId)}`;
      const of = async (name: 'plc' | 'plc2', method: string, call: string) =>
        (await scene.ask('ot', { method, path: path(call), apiKey: scene.enrolment(name).apiKey })).status;
      see('its sender asks for the state', await of('plc', 'GET', 'status'), 200);
      see('another sender asks for the state', await of('plc2', 'GET', 'status'), 404);
      see('another sender deletes it', await of('plc2', 'DELETE', 'inbound'), 404);
      const taken = await claim(reader);
      const guess = { type: 'ack', transferId, ackSecret: new Uint8Array(randomBytes(32)) } as const;
      see(
        'its reader acknowledges with a wrong secret',
        itemOf(await reader.ack([guess]), 'problem')?.code ?? 'taken',
        'ack-invalid',
      );
      see('another reader acknowledges it', itemOf(await mirror.ack([guess]), 'status')?.state ?? 'refused', 'unknown');
      const { ackSecret } = open(scene.engine, scene.enrolment('plc'), scene.enrolment('historian'), taken.block);
      const good = itemOf(await reader.ack([{ ...guess, ackSecret }]), 'status')?.state;
      see('its reader acknowledges having opened it', good ?? 'refused', 'delivered');
    },
    sabotages: {
      'any-sender': {
        mutations: [
          {
            file: 'relay/store/deliveries.ts',
            find: 'return transfer?.sender === sender ? reportOf(transfer) : undefined;',
            replace: 'return transfer && reportOf(transfer);',
          },
        ],
      },
      'any-ack': {
        mutations: [
          {
            file: 'relay/store/deliveries.ts',
            find: '!equalBytes(commit, view.ackCommit)',
            replace: 'commit.length === 0',
          },
        ],
      },
    },
  },
];

async function connectPlain(host: string, port: number): Promise<Socket> {
  const socket = connect(port, host);
  socket.on('error', () => {}); // whether it was dropped is looked at later
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  socket.resume();
  return socket;
}

/** One figure of the relay; 0 when the exposition does not have it. */
async function figure(scene: Scene, name: string): Promise<number> {
  const { body } = await scene.ask('management', { path: '/metrics' });
  const line = body
    .toString('utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name} `));
  return Number(line?.split(' ')[1] ?? 0);
}
