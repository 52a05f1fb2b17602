/**
 * Zones in network namespaces of the test's own: with the firewall of the plan nothing passes but the plan, seen from
 * each side over IPv4 and IPv6; with a hole in it, or without it, the same looks find what was hidden.
 */
import t from 'tap';
import type { Zone } from '../../protocol/shapes.ts';
import { ZONES } from '../../protocol/shapes.ts';
import { until } from '../fixtures/clients.ts';
import { whyNoNamespaces } from '../fixtures/network-namespaces.ts';
import { ping, type Scan, scanTcp, scanUdp, whyNoScans } from '../fixtures/port-scan.ts';
import { addressesIn, ZonePlant, zoneOf } from '../fixtures/zone-plant.ts';

t.setTimeout(400_000);

const FAMILIES = [4, 6] as const;
type Family = (typeof FAMILIES)[number];

/** Ports of the plan: data or operators at 3000, and monitoring beside the management listener. */
const PLANNED: Readonly<Record<Zone, readonly number[]>> = { ot: [3000], it: [3000], management: [3000, 3001] };
/** What somebody else runs on every host, bound to all addresses. */
const EXTRA_PORT = 3999;

/** What a host of `from` may reach of all addresses of the relay. */
function plannedFrom(from: Zone, family: Family): string[] {
  return PLANNED[from].map((port) => `${addressesIn(from)[family]}:${port}`).sort();
}

/** All addresses of the relay of one family. */
function relayAddresses(family: Family): string[] {
  return ZONES.map((zone) => addressesIn(zone)[family]);
}

/** Looks closely at the ports where something is. */
function lookNear(plant: ZonePlant, from: Zone, family: Family): Promise<Scan> {
  return scanTcp(plant.hosts[from], relayAddresses(family), { ports: `3000-3001,${EXTRA_PORT}`, retries: 3 });
}

/** Looks once at every TCP port of every address. */
function lookAtAll(plant: ZonePlant, from: Zone, family: Family): Promise<Scan> {
  return scanTcp(plant.hosts[from], relayAddresses(family), { ports: '-', retries: 0 });
}

/** Looks from each zone over each family, two at a time. */
async function fromEverywhere(look: (from: Zone, family: Family) => Promise<void>): Promise<void> {
  for (const from of ZONES) await Promise.all(FAMILIES.map((family) => look(from, family)));
}

/** Places of other hosts that the relay's host can connect to. */
function relayReaches(plant: ZonePlant): string[] {
  const places = ZONES.flatMap((zone) => FAMILIES.map((family) => addressesIn(zone, 2)[family]));
  return places.filter((address) => plant.connects(plant.relayHost, address, EXTRA_PORT));
}

/** Sends to each host of another zone through the relay, over TCP, UDP and ICMP; gives what came back. */
async function knockThrough(plant: ZonePlant, from: Zone, family: Family): Promise<Scan & { pinged: string[] }> {
  const others = ZONES.filter((zone) => zone !== from).map((zone) => addressesIn(zone, 2)[family]);
  const pinged = await ping(plant.hosts[from], others);
  await scanUdp(plant.hosts[from], others);
  return {
    ...(await scanTcp(plant.hosts[from], others, { ports: `22,80,443,3000,${EXTRA_PORT}`, retries: 1 })),
    pinged,
  };
}

const why = whyNoNamespaces() || whyNoScans();
t.test('nothing passes but the plan', { skip: why }, async (t) => {
  const plant = new ZonePlant(t, t.testdir());
  plant.raiseFirewall();
  await plant.listenEverywhere(EXTRA_PORT);
  await plant.startRelay();

  const receiver = plant.receiver();
  const sender = plant.sender();
  await t.test('a reading comes across, and every connection stays in its zone', async (t) => {
    sender.child.stdin!.write('temperature 21.5\n');
    await until('the reading', () => receiver.stdout().includes('temperature 21.5'), sender.stderr);
    const connections = plant.relayHost.run('ss', '-tnH', 'state', 'established').trimEnd().split('\n');
    t.ok(connections.length >= 2, 'sender and receiver hold theirs');
    for (const connection of connections) {
      const [, , local, peer] = connection.trim().split(/\s+/) as [string, string, string, string];
      t.equal(zoneOf(local), zoneOf(peer), `${local} with ${peer}`);
      t.match(local, /:300[01]$/, 'the relay opened none');
    }
  });

  await t.test('each side reaches the listeners of its zone, and nothing else', async (t) => {
    await fromEverywhere(async (from, family) => {
      t.same(
        await lookNear(plant, from, family),
        { open: plannedFrom(from, family), refused: false },
        `${from} over IPv${family}`,
      );
      const all = await lookAtAll(plant, from, family);
      const unplanned = all.open.filter((place) => !plannedFrom(from, family).includes(place));
      t.same({ unplanned, refused: all.refused }, { unplanned: [], refused: false }, `all TCP ports from ${from}`);
      t.same(
        await scanUdp(plant.hosts[from], relayAddresses(family)),
        { open: [], refused: false },
        `UDP from ${from}`,
      );
    });
  });

  await t.test('no packet is forwarded between zones', async (t) => {
    await fromEverywhere(async (from, family) => {
      const nothing = { open: [], refused: false, pinged: [] };
      t.same(await knockThrough(plant, from, family), nothing, `from ${from} over IPv${family}`);
    });
    for (const zone of ZONES) t.equal(plant.foreignPackets(zone), 0, `nothing foreign came to ${zone}`);
  });

  await t.test(
    'a call on the wrong zone gets the answer of strangers and is counted; firmware is closed',
    async (t) => {
      const refusals = () => {
        const url = `https://${addressesIn('management')[4]}:3001/metrics`;
        const metrics = plant.hosts.management.run('curl', '-sk', url);
        return Number(/^ghostpipe_refusals_total\{code="not-available"\} (\d+)/m.exec(metrics)?.[1]);
      };
      const before = refusals();
      const [plc, historian] = [plant.authorization('plc'), plant.authorization('historian')];
      const fromOt = await plant.ask('ot', addressesIn('ot')[4], [
        { path: '/nothing' },
        { method: 'POST', path: '/v2/claim', headers: plc },
        { method: 'POST', path: '/v2/inbound', headers: historian },
        { path: '/v2/roster', headers: historian },
        { path: '/metrics' },
        { path: '/health' },
      ]);
      const fromIt = await plant.ask('it', addressesIn('it')[6], [
        { path: '/nothing' },
        { method: 'POST', path: '/v2/inbound', headers: historian },
        { method: 'POST', path: '/v2/claim', headers: plc },
        { path: '/v2/roster', headers: plc },
        { path: '/metrics' },
        { path: '/' },
      ]);
      for (const answer of [...fromOt, ...fromIt]) t.same(answer, fromOt[0], 'one answer for all of them');
      t.match(fromOt[0], { status: 404, body: /not-available/ });
      t.equal(refusals() - before, fromOt.length + fromIt.length, 'all of them were counted');
      const call = { method: 'POST', path: '/v2/inbound', headers: plc };
      const own = await plant.ask('ot', addressesIn('ot')[4], [call]);
      t.match(own, [{ status: 415 }], 'in its own zone the device is known, and lacks a block');
      const [firmware] = JSON.parse(plant.plan('--json')).conduits.filter(
        ({ name }: { name: string }) => name === 'firmware',
      );
      t.match(firmware, { from: 'it', to: 'ot', isOpen: false });
    },
  );

  await t.test('a hole in the firewall is found among all ports', async (t) => {
    plant.relayHost.run('nft', `insert rule inet ghostpipe input iifname "it" tcp dport ${EXTRA_PORT} accept`);
    plant.relayHost.run('nft', `insert rule inet ghostpipe output oifname "it" tcp sport ${EXTRA_PORT} accept`);
    const seen = await Promise.all(FAMILIES.map((family) => lookAtAll(plant, 'it', family)));
    for (const { open } of seen)
      t.ok(
        open.some((place) => place.endsWith(`:${EXTRA_PORT}`)),
        open.join(', '),
      );
  });

  await t.test('without the firewall the same looks find what it hid', async (t) => {
    plant.relayHost.run('nft', 'flush', 'ruleset');
    const ports = ZONES.flatMap((zone) => [...PLANNED[zone], EXTRA_PORT].map((port) => [zone, port] as const));
    for (const family of FAMILIES) {
      const everything = ports.map(([zone, port]) => `${addressesIn(zone)[family]}:${port}`).sort();
      t.same(await lookNear(plant, 'it', family), { open: everything, refused: true }, `near, over IPv${family}`);
      t.ok((await scanUdp(plant.hosts.it, relayAddresses(family))).refused, 'over UDP the kernel refuses');
      const behind = await knockThrough(plant, 'it', family);
      const reached = ZONES.filter((zone) => zone !== 'it').map((zone) => addressesIn(zone, 2)[family]);
      t.same(behind.open, reached.map((address) => `${address}:${EXTRA_PORT}`).sort(), 'hosts behind the relay');
      t.same(behind.pinged, reached.toSorted(), 'over ICMP too');
    }
    t.equal(relayReaches(plant).length, ZONES.length * FAMILIES.length, "the relay's host connects to all");
    for (const zone of ['ot', 'management'] as const) t.ok(plant.foreignPackets(zone) > 0, `packets came to ${zone}`);
  });
});
