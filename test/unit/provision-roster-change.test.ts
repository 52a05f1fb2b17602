import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { formatVerifierKey } from '../../protocol/note-key.ts';
import type { Problem } from '../../protocol/problem.ts';
import type { Roster, RosterDevice } from '../../protocol/roster.ts';
import {
  withCosigner,
  withDevice,
  withoutCosigner,
  withoutDevice,
  withReplacedDevice,
  withRevokedKey,
} from '../../tools/provision/roster-change.ts';
import { seed } from '../fixtures/protocol.ts';
import { makeSite } from '../fixtures/site.ts';

const NOWHERE = { to: [], groups: [] };

/** A roster with a sender, two receivers in a group, and a route to one of them and the group. */
function plant(directory: string): Roster {
  const { roster } = makeSite({
    directory,
    devices: [
      { name: 'plc-A1', roles: ['send'], zone: 'ot' },
      { name: 'historian', roles: ['receive'], zone: 'it' },
      { name: 'backup', roles: ['receive'], zone: 'it' },
    ],
    routes: [{ from: 'plc-A1', to: ['historian', 'archive'] }],
  });
  return { ...roster, groups: { archive: ['backup'] } };
}

function newDevice(roster: Roster, name: string, role: 'send' | 'receive'): RosterDevice {
  return { ...roster.devices[0]!, name, roles: [role] };
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (thrown) {
    return (thrown as Problem).code;
  }
  return 'accepted';
}

t.test('a further device brings its route and joins groups, old and new', async (t) => {
  const roster = plant(t.testdir());
  const next = withDevice(roster, newDevice(roster, 'plc-A2', 'send'), {
    to: ['historian', 'archive'],
    views: 1,
    groups: ['archive', 'plcs'],
  });
  t.equal(next.devices.length, 4);
  t.strictSame(next.routes[1], { from: 'plc-A2', to: ['historian', 'archive'], views: 1 });
  t.strictSame(next.groups, { archive: ['backup', 'plc-A2'], plcs: ['plc-A2'] });
  t.strictSame(roster.groups, { archive: ['backup'] }, 'the old roster is left as it was');
});

t.test('a further sender brings the lanes that its receiver needs; none is taken away', async (t) => {
  let roster = plant(t.testdir());
  const lanes = [2, 3, 4].map((number) => {
    roster = withDevice(roster, newDevice(roster, `plc-A${number}`, 'send'), { to: ['historian'], groups: [] });
    return roster.profile.lanesDown;
  });
  t.strictSame(lanes, [3, 4, 5]);
  t.equal(withoutDevice(roster, 'plc-A4').profile.lanesDown, 5);
});

t.test('a device without a route adds none', async (t) => {
  const roster = plant(t.testdir());
  t.strictSame(withDevice(roster, newDevice(roster, 'x', 'receive'), NOWHERE).routes, roster.routes);
});

t.test('names that are taken or lead nowhere are refused', async (t) => {
  const roster = plant(t.testdir());
  const add = (name: string, to: readonly string[]) => () =>
    withDevice(roster, newDevice(roster, name, 'send'), { to, groups: [] });
  t.equal(codeOf(add('plc-A1', [])), 'already-exists', 'a device');
  t.equal(codeOf(add('archive', [])), 'already-exists', 'a group');
  t.equal(codeOf(add('plc-A2', ['nobody'])), 'usage');
  t.equal(codeOf(add('plc-A2', ['constructor'])), 'usage', 'what every object has is no group');
  t.equal(codeOf(add('plc-A2', ['plc-A1'])), 'usage', 'a device that may not receive');
});

t.test('a removed device stands nowhere but among the revoked', async (t) => {
  const roster = plant(t.testdir());
  const backup = roster.devices[2]!;
  const once = withoutDevice(roster, 'backup');
  t.strictSame(once.groups, { archive: [] });
  t.strictSame(once.revocations, [{ did: backup.did, what: 'device' }]);
  const twice = withoutDevice(once, 'historian');
  t.strictSame(twice.routes, [{ from: 'plc-A1', to: ['archive'] }]);
  t.strictSame(withoutDevice(roster, 'plc-A1').routes, [], 'its own route goes with it');
  t.equal(
    codeOf(() => withoutDevice(roster, 'archive')),
    'not-in-roster',
  );
});

t.test('a route whose last recipient is removed goes', async (t) => {
  const roster = { ...plant(t.testdir()), routes: [{ from: 'plc-A1', to: ['historian'] }] };
  t.strictSame(withoutDevice(roster, 'historian').routes, []);
});

t.test('a replaced device keeps name, zone and route, and its old identity is revoked', async (t) => {
  const roster = plant(t.testdir());
  const old = roster.devices[0]!;
  const { did } = makeSite({ directory: t.testdirName, devices: [], routes: [] }).stranger('new');
  const next = withReplacedDevice(roster, 'plc-A1', did);
  t.strictSame(next.devices[0], { ...old, did });
  t.strictSame(next.routes, roster.routes);
  t.strictSame(next.revocations, [{ did: old.did, what: 'device' }]);
});

t.test('a key is revoked once, however often it is asked for', async (t) => {
  const roster = plant(t.testdir());
  const { did } = roster.devices[0]!;
  const once = withRevokedKey(roster, did, 'A'.repeat(43));
  t.strictSame(once.revocations, [{ did, what: 'api-key', apiKeyHash: 'A'.repeat(43) }]);
  t.equal(withRevokedKey(once, did, 'A'.repeat(43)).revocations.length, 1);
  t.equal(withRevokedKey(once, did, 'B'.repeat(43)).revocations.length, 2);
});

t.test('a cosigner comes, gets another key, and goes', async (t) => {
  const roster = plant(t.testdir());
  const keyOf = (name: string, algorithm: 'ed25519' | 'ml-dsa-44') => {
    const { publicKey } = engine.singleKey(algorithm, seed(name));
    return formatVerifierKey(engine, { name, algorithm, publicKey });
  };
  const [first, second] = [keyOf('archive-1', 'ml-dsa-44'), keyOf('archive-2', 'ml-dsa-44')];
  const one = withCosigner(engine, roster, 'archive', first);
  t.strictSame(one.cosigners, [{ name: 'archive', key: first }]);
  const other = withCosigner(engine, one, 'archive', second);
  t.strictSame(other.cosigners, [{ name: 'archive', key: second }], 'in place of the first');
  t.strictSame(withoutCosigner(other, 'archive').cosigners, []);
  t.equal(
    codeOf(() => withCosigner(engine, roster, 'archive', keyOf('archive-1', 'ed25519'))),
    'usage',
    'Ed25519',
  );
  t.equal(
    codeOf(() => withCosigner(engine, roster, 'archive', first.replace(/\+[0-9a-f]+\+/, '+00000000+'))),
    'usage',
  );
  t.equal(
    codeOf(() => withoutCosigner(roster, 'archive')),
    'not-in-roster',
  );
});
