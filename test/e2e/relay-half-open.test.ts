/** A peer whose cable is pulled says nothing more, not even goodbye: its slot and its connections are given back. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { ListenerConfig } from '../../protocol/config.ts';
import { startRelayProcess } from '../fixtures/measured-relay.ts';
import { Networks, whyNoNamespaces } from '../fixtures/network-namespaces.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { sealTo } from '../fixtures/relay.ts';
import type { VanishingScene } from '../fixtures/vanishing.ts';

t.setTimeout(120_000);

const VANISHING = new URL('../fixtures/vanishing.ts', import.meta.url).pathname;
const GET = 'console.log(await (await fetch(process.argv[1])).text())';
const ADDRESS = '10.77.0.1';
/** Less than an idle connection of a live peer may last. */
const PATIENCE_MS = 60_000;

t.test('a peer that vanishes', { skip: whyNoNamespaces() }, async (t) => {
  const networks = new Networks(t);
  const [near, far] = [networks.host('near'), networks.host('far')];
  const atNear = { host: near, addresses: [`${ADDRESS}/24`] };
  const cable = networks.wire('cable', { host: far, addresses: ['10.77.0.2/24'] }, atNear);
  const directory = t.testdir();
  const calls: ListenerConfig['calls'] = ['inbound', 'register'];
  const listeners: ListenerConfig[] = [
    { zone: 'ot', address: ADDRESS, port: 0, tls: 'pq', calls },
    { zone: 'management', address: '127.0.0.1', port: 0, tls: 'off', calls: ['metrics'] },
  ];
  const site = smallPlant(directory, { listeners, limits: { bodySeconds: 2 } });
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const relay = await startRelayProcess(t, directory, site, { within: near.through });
  const { port } = relay.peer('ot');
  const monitor = relay.peer('management');
  const usedSlots = () => {
    const metrics = near.run(process.execPath, '-e', GET, `http://${monitor.host}:${monitor.port}/metrics`);
    return Number(/ghostpipe_slots\{state="used"\} (\d+)/.exec(metrics)?.[1]);
  };
  const connections = () => near.run('ss', '-Htn', 'state', 'established', `sport = :${port}`).split('\n').length - 1;

  const scene: VanishingScene = {
    peer: relay.peer('ot'),
    apiKey: plc.apiKey,
    registrations: [plc, historian].map(({ apiKey, registration }) => [apiKey, registration] as const),
    blocks: [sealTo(plc, [historian]).toString('base64'), sealTo(plc, [historian]).toString('base64')],
  };
  const [command, ...within] = [...far.through, process.execPath, VANISHING];
  const peer = spawn(command!, within, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => peer.kill('SIGKILL'));
  peer.stdin.end(JSON.stringify(scene));
  await once(peer.stdout, 'data');
  await sleep(100);
  t.equal(usedSlots(), 2, 'one block is held, one arrives');
  t.equal(connections(), 2, 'one connection is idle, one has a body under way');

  cable.cut('silently');
  peer.kill('SIGKILL');
  const begin = performance.now();
  const after = async (done: () => boolean): Promise<string> => {
    while (!done() && performance.now() - begin < PATIENCE_MS) await sleep(250);
    return `${((performance.now() - begin) / 1000).toFixed(1)} s`;
  };
  const slotAfter = await after(() => usedSlots() === 1);
  t.equal(usedSlots(), 1, 'the slot of the half block is free, the whole block is held');
  const connectionAfter = await after(() => connections() === 0);
  t.equal(connections(), 0);
  t.comment(`after the cable was pulled: slot given back in ${slotAfter}, last connection in ${connectionAfter}`);

  cable.mend();
  const again = spawn(command!, within, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => again.kill('SIGKILL'));
  again.stdin.end(JSON.stringify(scene));
  await once(again.stdout, 'data');
  await sleep(100);
  t.equal(usedSlots(), 2, 'the whole block is known, the other one arrives again');
});
