/** The parts of the appliance by themselves: network files, lamp, watchdog, verdicts, partitions, settings. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Keeper } from '../../appliance/keeper.ts';
import { CONSOLE, DEVICE, RUN } from '../../appliance/layout.ts';
import { FLASHES, Lamp, NOT_READY, READY, safePattern } from '../../appliance/leds.ts';
import { interfaceName, rootHash } from '../../appliance/machine.ts';
import { main } from '../../appliance/main.ts';
import { closedFirewallFile, networkFile, timesyncdFile } from '../../appliance/network.ts';
import { readOutcome } from '../../appliance/outcome.ts';
import { scrub } from '../../appliance/scrub.ts';
import type { Verdict } from '../../appliance/self-transfer.ts';
import { Watchdog } from '../../appliance/watchdog.ts';
import { qualityOf } from '../../relay/appliance.ts';
import { SelfTest } from '../../relay/monitor/self-tested.ts';
import { nftablesOf } from '../../tools/lib/nftables.ts';
import { cardPartition } from '../../tools/provision/image/partition.ts';
import { BUILT_MS, CARD_SECTORS, CARD_SLICE, writeImage } from '../fixtures/appliance.ts';
import { captured } from '../fixtures/command.ts';

t.test('files of systemd-networkd and systemd-timesyncd', async (t) => {
  const fixed = networkFile({ zones: ['ot'], device: 'eth0', address: '10.20.0.1/24', gateway: '10.20.0.254' });
  t.match(fixed, 'Name=eth0\n[Network]\nDHCP=no\nAddress=10.20.0.1/24\nGateway=10.20.0.254\nLinkLocalAddressing=no\n');
  t.match(networkFile({ zones: ['ot'], device: 'eth0', address: 'fd00::1/64' }), 'LinkLocalAddressing=ipv6\n');
  const dhcp = networkFile({ zones: ['it'], device: 'end0', address: 'dhcp' });
  t.match(dhcp, 'DHCP=ipv4\n');
  t.match(dhcp, 'UseNTP=no\n', 'who gives out addresses does not give out the time');
  t.equal(timesyncdFile([]), '[Time]\nNTP=\nFallbackNTP=\n', 'no server is asked that nobody named');
});

t.test('the firewall lets in who may come, and out what the host itself asks', async (t) => {
  const listener = { zone: 'ot', address: '10.20.0.1', port: 3000, tls: 'pq', calls: ['inbound'] } as const;
  const zones = [
    { zone: 'ot', interface: 'eth0', listeners: [listener], allow: ['10.20.0.0/24', 'fd00::/64'] },
  ] as const;
  const rules = nftablesOf({ siteName: 's', version: 1, zones, host: { ntp: ['192.0.2.5'], dhcp: ['eth0'] } });
  t.match(rules, 'ip saddr 10.20.0.0/24 ip daddr 10.20.0.1 tcp dport 3000 ct state { new, established } accept');
  t.match(rules, 'ip6 saddr fd00::/64 ');
  t.match(rules, 'ip daddr 192.0.2.5 udp dport 123 accept');
  t.match(rules, 'iifname "eth0" udp sport 67 udp dport 68 accept');
  t.notMatch(rules, / {4}ip daddr 10.20.0.1 tcp dport/, 'nobody else');
  t.match(closedFirewallFile(), 'policy drop');
});

t.test('an interface is meant by its name or its MAC address, once udev is done with it', async (t) => {
  const folder = t.testdir({ net: { eth0: { address: '02:00:5e:00:53:01\n', ifindex: '2\n' } }, udev: {} });
  const [interfaces, udev] = [join(folder, 'net'), join(folder, 'udev')];
  const wanted = { zones: ['ot'], address: 'dhcp', mac: '02:00:5e:00:53:01' } as const;
  t.throws(() => interfaceName(wanted, { interfaces, udev }), { code: 'interface-missing', detail: /there are none/ });
  writeFileSync(join(udev, 'n2'), '');
  t.equal(interfaceName(wanted, { interfaces, udev }), 'eth0');
  t.equal(interfaceName({ zones: ['ot'], address: 'dhcp', name: 'eth0' }, { interfaces, udev: '/nowhere' }), 'eth0');
  t.throws(() => interfaceName({ ...wanted, mac: '02:00:5e:00:53:02' }, { interfaces, udev }), {
    code: 'interface-missing',
    detail: 'no network interface with the MAC address 02:00:5e:00:53:02; there are eth0',
  });
  t.equal(rootHash('/nowhere'), null);
});

t.test('the lamp', async (t) => {
  const folder = t.testdir({ leds: { ACT: { brightness: '', trigger: '' }, 'input0::capslock': {} } });
  const read = (name: string) => readFileSync(join(folder, 'leds/ACT', name), 'utf8');
  const lamp = new Lamp(join(folder, 'leds'));
  t.equal(read('trigger'), 'none', 'the kernel lets go of it');
  lamp.show(READY);
  t.equal(read('brightness'), '1');
  lamp.show([1, 60_000]);
  while (read('brightness') === '1') await new Promise((resolve) => setTimeout(resolve, 1));
  t.equal(read('brightness'), '0', 'off after its time');
  lamp.close();
  new Lamp('/nowhere').show(NOT_READY);
  const patterns = [READY, NOT_READY, ...[2, 3, 4, 5].map((count) => safePattern(codeWith(count)))].map(String);
  t.equal(new Set(patterns).size, patterns.length, 'each can be told from the others');
  t.equal(safePattern('card-missing').length, 4, 'two flashes');
});

/** A code that flashes so often. */
function codeWith(count: number): string {
  return Object.entries(FLASHES).find(([, flashes]) => flashes === count)?.[0] ?? 'internal';
}

t.test('what follows from verdicts', async (t) => {
  const told: string[] = [];
  let now = 0;
  const keeper = new Keeper({
    manager: {
      ready: () => told.push('READY'),
      status: () => {},
      alive: () => {},
    },
    lamp: { show: (pattern) => told.push(pattern === READY ? 'lamp on' : 'lamp slow') },
    watchdog: { feed: () => told.push('fed') },
    say: (line) => told.push(line),
    now: () => now,
    patienceMs: 1000,
  });
  const steps = (act: () => void): string[] => {
    told.length = 0;
    act();
    return [...told];
  };
  const failed: Verdict = { state: 'failed', code: 'relay-unreachable', fact: 'nobody answers' };
  t.same(
    steps(() => keeper.tick()),
    ['fed'],
    'the start is given its time',
  );
  t.same(
    steps(() => keeper.judge(failed)),
    ['lamp slow', `${CONSOLE.notReady}nobody answers [relay-unreachable]`],
  );
  t.same(
    steps(() => keeper.judge(failed)),
    ['lamp slow'],
    'nothing is said twice',
  );
  now = 1000;
  t.same(
    steps(() => keeper.tick()),
    [],
    'who fails for too long is reset',
  );
  t.same(steps(() => keeper.judge({ state: 'full', code: 'slots-full', fact: 'every slot' })).length, 2);
  t.same(
    steps(() => keeper.tick()),
    ['fed'],
    'a full relay is not',
  );
  t.same(
    steps(() => keeper.judge({ state: 'passed' })),
    ['READY', 'lamp on', CONSOLE.ready],
  );
  t.same(
    steps(() => keeper.judge({ state: 'passed' })),
    ['lamp on'],
  );
});

t.test('the watchdog is written to, and is missed by nobody', async (t) => {
  const path = join(t.testdir({ watchdog: '' }), 'watchdog');
  const watchdog = new Watchdog(path);
  watchdog.feed();
  watchdog.feed();
  t.equal(readFileSync(path, 'utf8'), '..', 'and never "V", which would let it sleep');
  const none = new Watchdog('/nowhere');
  none.feed();
  t.same([watchdog.isThere, none.isThere], [true, false]);
});

t.test('how far a clock is believed', async (t) => {
  const untrusted = { buildMs: BUILT_MS, clock: 'untrusted' } as const;
  t.equal(qualityOf(untrusted, false, 0), 'none');
  t.equal(qualityOf({ ...untrusted, clock: 'operator' }, false, BUILT_MS - 1), 'none');
  t.equal(qualityOf(untrusted, false, BUILT_MS), 'build');
  t.equal(qualityOf({ ...untrusted, clock: 'operator' }, false, BUILT_MS), 'operator');
  t.equal(qualityOf(untrusted, true, 0), 'ntp');
});

t.test('the relay knows when its last self-test passed', async (t) => {
  let now = 0;
  const test = new SelfTest('did:self', () => now);
  test.delivery({ type: 'acked', sender: 'did:other' });
  t.match(test.reason, 'no self-test');
  test.delivery({ type: 'acked', sender: 'did:self' });
  t.same([test.reason, test.notice], [null, null]);
  now = 400_000;
  t.equal(test.notice, 'the last self-test passed 400 s ago');
});

t.test('the card in an image is found by its partition table', async (t) => {
  const folder = t.testdir();
  const path = join(folder, 'a.img');
  const other = { start: CARD_SLICE.start + CARD_SECTORS, sectors: 64, label: 'BOOT' };
  for (const table of ['mbr', 'gpt'] as const) {
    writeImage(path, table, [other, CARD_SLICE]);
    t.same(cardPartition(path), { offset: 2048 * 512, bytes: CARD_SECTORS * 512 }, table);
  }
  const refused = (words: RegExp) => t.throws(() => cardPartition(path), { code: 'not-an-image', detail: words });
  writeImage(path, 'mbr', [other]);
  refused(/0 partitions/);
  writeImage(path, 'gpt', [CARD_SLICE, { ...CARD_SLICE, start: other.start }]);
  refused(/2 partitions/);
  writeImage(path, 'mbr', [{ ...CARD_SLICE, sectors: 2 ** 21 }]);
  refused(/the file/);
  writeFileSync(path, 'short');
  refused(/0 partitions/);
  t.throws(() => cardPartition(folder), { code: 'not-an-image', detail: /not a regular file/ });
  t.throws(() => cardPartition(join(folder, 'none')), { code: 'not-an-image', detail: /ENOENT/ });
});

t.test('the root is read once, and what cannot be read is told', async (t) => {
  const folder = t.testdir({ root: 'x'.repeat(3000) });
  const { out } = await captured(t, () => scrub(['--root', join(folder, 'root'), '--once']));
  t.match(out, 'the root was read once, 3000 bytes');
  t.match(await captured(t, () => scrub(['--root', join(folder, 'root'), '--once', '--json'])), {
    out: /"bytes":3000/,
  });
  t.match(await captured(t, () => scrub(['--root', '/nowhere', '--once'])), { code: 3, err: /ENOENT/ });
  mkdirSync(join(folder, 'folder'));
  t.match(await captured(t, () => scrub(['--root', join(folder, 'folder'), '--once'])), { code: 3, err: /at byte 0/ });
});

t.test('each program has help, and there is no other', async (t) => {
  for (const name of ['config', 'ready', 'safe', 'scrub']) {
    t.match(await captured(t, () => main([name, '--help'])), {
      code: 0,
      out: new RegExp(`ghostpipe-appliance ${name}`),
    });
  }
  t.match(await captured(t, () => main(['shell'])), { code: 2 });
  t.match(await captured(t, () => main(['ready', '--run', '/nowhere'])), { code: 3 });
  t.throws(() => readOutcome('/nowhere'), { code: 'config-missing' });
  t.equal(join(DEVICE.run, RUN.outcome), '/run/ghostpipe/outcome.json');
});
