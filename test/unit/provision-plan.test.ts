/** The plan of a site: lanes, load, slots, conduits, what is refused and what is weak. */
import t from 'tap';
import { BOARDS } from '../../tools/provision/plan/boards.ts';
import type { JudgedPlan } from '../../tools/provision/plan/model.ts';
import { wireBytes } from '../../tools/provision/plan/wire.ts';
import { IT, listener, MANAGEMENT, OT, planFor, relayOf, rosterOf } from '../fixtures/plans.ts';

const factsOf = ({ excesses }: JudgedPlan) => excesses.map(({ what, fact }) => `${what}: ${fact}`);

t.test('a block of 5 MiB each 15 s is 2.97 Mbit/s on the wire', async (t) => {
  const { there, back } = wireBytes(5_242_880, 4);
  t.equal(((there * 8) / 15 / 1e6).toFixed(2), '2.97');
  t.ok(back > there / 50 && back < there / 20, 'acknowledgements come back');
  t.ok(wireBytes(5_242_880, 6).there > there, 'IPv6 takes more');
});

t.test('lanes, load, slots and log of a small site', async (t) => {
  const plan = planFor(rosterOf(t.testdir(), 4));
  t.same(
    plan.lanes.map(({ up, down }) => [up, down]),
    [
      [0, 5],
      [1, 0],
      [1, 0],
      [1, 0],
      [1, 0],
    ],
    'a receiver of four streams has five lanes',
  );
  const [ot, it, management] = plan.links;
  t.match(ot, { name: 'eth0', zones: ['ot'] });
  t.equal(ot!.toRelayMbit.toFixed(1), '11.9');
  t.equal(it!.fromRelayMbit.toFixed(1), '15.0');
  t.ok(ot!.fromRelayMbit < 0.5 && it!.toRelayMbit < 0.6, 'control frames and acknowledgements');
  t.equal(ot!.gibADay.toFixed(0), '124');
  t.same([management!.toRelayMbit, management!.gibADay], [0, 0]);
  t.same(plan.slots, { receiver: 'historian', needed: 4 + 4 * 4, lastMinutes: 3.75 });
  t.equal(plan.log.recordsAHead, 24, 'three records a block, in 30 s');
  t.same([plan.excesses, plan.weaknesses], [[], []]);
  t.ok(plan.controls.every(({ serves, weakness }) => serves.length > 0 && weakness === null));
});

t.test('a hundred devices fill the 640 slots of a Pi 4 within 96 s', async (t) => {
  const config = relayOf(undefined, { store: { slots: 640 }, limits: { connectionsPerPeer: 126 } });
  const plan = planFor(rosterOf(t.testdir(), 100), config, { board: 'pi4' });
  t.same(plan.excesses, []);
  t.equal(plan.slots.lastMinutes, 1.25, 'one slot of each is kept for what comes in');
  t.match(
    factsOf(planFor(rosterOf(t.testdir(), 110), config, { board: 'pi4' })).join('\n'),
    /processor: 86\.7 MB\/s .* pi4 carries 80 MB\/s/,
  );
});

t.test('what is beyond link, processor, memory, slots or connections is refused with both values', async (t) => {
  const roster = rosterOf(t.testdir(), 20);
  const link = planFor(roster, undefined, { linkMbit: 100 });
  t.match(factsOf(link), [
    /^link: link eth1 \(it\) has 74\.8 Mbit\/s from the relay; of 100 Mbit\/s 60\.0 can be used/,
    /slots/,
  ]);
  t.match(factsOf(planFor(roster)), [
    /^slots: 100 slots are needed, historian being away for 1 min; the relay has 64$/,
  ]);
  t.match(planFor(roster).excesses, [{ mend: /store\.slots: 100 into relay\.yaml/ }]);
  const roomy = relayOf(undefined, { store: { slots: 200 } });
  t.same(factsOf(planFor(roster, roomy)), []);
  t.same(factsOf(planFor(roster, relayOf(undefined, { store: { slots: 100 } }), { board: 'pi3' })), [
    'memory: 100 slots take 500 MiB, pi3 has 480 MiB for blocks',
  ]);
  const narrow = relayOf(undefined, { store: { slots: 200 }, limits: { connectionsPerPeer: 20, connections: 15 } });
  t.same(factsOf(planFor(roster, narrow)), [
    'connections: historian needs 26 connections, the relay gives a device 20',
    'connections: the devices of zone ot need 40 connections, its listeners give 15',
    'connections: the devices of zone it need 26 connections, its listeners give 15',
  ]);
  t.ok(BOARDS.pi3.blockMBs < BOARDS.pi4.blockMBs);
});

t.test('a device whose zone has no listener for its role is refused', async (t) => {
  const roster = rosterOf(t.testdir(), 1);
  const moved = { ...roster, devices: roster.devices.map((device) => ({ ...device, zone: 'it' as const })) };
  t.same(factsOf(planFor(moved)), [
    'listener: plc-0 of zone it has the role send, and no listener of it serves inbound',
  ]);
  const all = listener('ot', '10.20.0.1', ['inbound', 'claim', 'roster-publish']);
  const together = planFor(roster, relayOf([all]), { interfaces: {} });
  t.same(together.excesses, [], 'a relay that separates nothing serves every device');
  t.match(together.weaknesses, [/all data calls are served in one zone/]);
  t.equal(together.controls.find(({ id }) => id === 'zone-gate')!.weakness, 'all data calls are in one zone');
});

t.test('conduits follow from the calls of the listeners, and firmware is closed by default', async (t) => {
  const roster = rosterOf(t.testdir(), 1);
  const stateOf = (plan: JudgedPlan) =>
    plan.conduits.map(({ name, isOpen }) => `${name} ${isOpen ? 'open' : 'closed'}`);
  t.same(stateOf(planFor(roster)), ['data open', 'firmware closed']);
  const half = relayOf([{ ...OT, calls: [...OT.calls, 'claim'] }, IT, MANAGEMENT]);
  t.same(stateOf(planFor(roster, half)), ['data open', 'firmware closed'], 'half of a conduit is none');
  const both = relayOf([
    { ...OT, calls: [...OT.calls, 'outbound'] },
    { ...IT, calls: [...IT.calls, 'inbound'] },
    { ...MANAGEMENT, calls: ['inbound', 'roster-publish'] },
  ]);
  const open = planFor(roster, both);
  t.same(stateOf(open), ['data open', 'firmware open', 'management-to-ot open', 'management-to-it open']);
  t.match(open.weaknesses[0], /the conduit firmware from it to ot is open; by default it is closed/);
  t.match(
    open.controls.find(({ id }) => id === 'firmware-conduit'),
    { weakness: /^firmware, .* is open$/ },
  );
  t.match(planFor(roster, relayOf([IT])).conduits[0], { isOpen: false, because: 'ot may not submit, it may claim' });
});

t.test('one network card, listeners on all addresses and routes to nobody are said', async (t) => {
  const roster = rosterOf(t.testdir(), 1);
  const vlans = planFor(roster, undefined, { interfaces: { ot: 'eth0.10', it: 'eth0.20', management: 'eth1' } });
  t.match(vlans.weaknesses, [/^one NIC: ot, it share eth0, .*SR 5\.1, not RE\(1\)/]);
  t.same(
    vlans.links.map(({ zones }) => zones),
    [['ot', 'it'], ['management']],
    'load of both on one link',
  );
  const same = relayOf([OT, { ...IT, address: OT.address, port: 3001 }, MANAGEMENT]);
  t.match(planFor(roster, same, { interfaces: {} }).weaknesses, [/^one NIC: ot, it share 10\.20\.0\.1/]);
  const wild = planFor(roster, relayOf([{ ...OT, address: '::' }, IT, MANAGEMENT]));
  t.match(wild.weaknesses, [/listener of ot at port 3000 is bound to ::/]);
  t.match(
    wild.controls.find(({ id }) => id === 'zone-listeners'),
    { weakness: /bound to all addresses/ },
  );
  const lonely = planFor(
    { ...roster, routes: [] },
    relayOf([OT, IT, { ...MANAGEMENT, address: '::1', calls: ['health'] }]),
  );
  t.match(lonely.weaknesses, [
    /plc-0 has the role send and its route leads to no receiver/,
    /zone management is reached from the relay's own host only/,
    /no listener serves roster-publish/,
  ]);
  t.same(lonely.slots, { receiver: null, needed: 1, lastMinutes: null });
});

t.test('the log grows by its quantum, and a quantum below what happens is refused', async (t) => {
  const planWith = (logQuantum: number) => planFor(rosterOf(t.testdir(), 4, { logQuantum }));
  t.equal(planWith(256).log.mibADay.toFixed(0), '105');
  t.equal(planWith(1).log.mibADay.toFixed(1), '9.9');
  t.match(planWith(1).weaknesses, [/logQuantum is 1: the size of the audit log/]);
  t.match(planWith(30).weaknesses, [/24 log records .* logQuantum should be 36; the sector profile has 30/]);
  t.same(factsOf(planWith(23)), ['log: 24 log records come between two heads, logQuantum is 23']);
  t.match(planWith(23), { weaknesses: [], excesses: [{ mend: /--log-quantum 36/ }] });
});
