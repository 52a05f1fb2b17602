import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { operatorKeyHash } from '../../protocol/identity.ts';
import {
  deviceNamed,
  deviceWithDid,
  lanesNeeded,
  narrowedRoute,
  openRoster,
  operatorKeys,
  peersOf,
  type Roster,
  routeOf,
  sendersTo,
} from '../../protocol/roster.ts';
import { refuses, sameBytes } from '../fixtures/protocol.ts';
import { makeSite } from '../fixtures/site.ts';

const site = makeSite({
  directory: t.testdir(),
  devices: [
    { name: 'plc-A1', roles: ['send'], zone: 'ot' },
    { name: 'historian', roles: ['receive'], zone: 'it' },
    { name: 'dashboard', roles: ['receive', 'send'], zone: 'it' },
    { name: 'auditor', roles: ['audit'], zone: 'management' },
  ],
  routes: [{ from: 'plc-A1', to: ['readers'], views: 1 }],
});
const trust = { operatorKeyHash: site.operatorKeyHash, siteId: site.siteId, minVersion: 0 };
const GROUPS = { readers: ['dashboard', 'historian', 'auditor'], nobody: [], constructor: ['historian'] };

/** Opens the site's roster with changes. */
function roster(changes: Partial<Roster> = {}): Roster {
  return openRoster(engine, site.issueRoster({ groups: GROUPS, ...changes }), trust);
}

t.test('a roster opens under its pin', async (t) => {
  const opened = roster();
  t.equal(opened.siteName, 'plant-1');
  sameBytes(t, operatorKeys(opened).ed25519, site.operator.publicKeys.ed25519);
  const bytes = site.issueRoster({ version: 7, groups: GROUPS });
  t.equal(openRoster(engine, bytes, { ...trust, minVersion: 7 }).version, 7, 'the version seen before is accepted');
  refuses(t, 'roster-older', () => openRoster(engine, bytes, { ...trust, minVersion: 8 }));
  refuses(t, 'site-mismatch', () => openRoster(engine, bytes, { ...trust, siteId: '0'.repeat(32) }));
  const elsewhere = operatorKeyHash(site.device('plc-A1').signer.publicKeys);
  refuses(t, 'operator-mismatch', () => openRoster(engine, bytes, { ...trust, operatorKeyHash: elsewhere }));
  const text = Buffer.from(bytes).toString().replace('"version":7', '"version":8');
  refuses(t, 'signature-invalid', () => openRoster(engine, Buffer.from(text), trust));
});

t.test('names lead to devices', async (t) => {
  const opened = roster();
  t.equal(deviceNamed(opened, 'historian').did, site.device('historian').did);
  refuses(t, 'not-in-roster', () => deviceNamed(opened, 'toString'));
  t.equal(deviceWithDid(opened, site.device('auditor').did)?.name, 'auditor');
  t.equal(deviceWithDid(opened, site.stranger('x').did), undefined);
});

t.test('a route leads to the receivers of its names', async (t) => {
  const { recipients, views } = routeOf(roster(), 'plc-A1');
  t.same(
    recipients.map((entry) => entry.name),
    ['historian', 'dashboard'],
    'in roster order; who may not receive is left out',
  );
  t.equal(views, 1);
  const all = routeOf(roster({ routes: [{ from: 'plc-A1', to: ['readers', 'historian'] }] }), 'plc-A1');
  t.equal(all.recipients.length, 2, 'each once');
  t.equal(all.views, 2, 'all when views are left out');
  t.equal(routeOf(roster({ routes: [{ from: 'plc-A1', to: ['readers'], views: 9 }] }), 'plc-A1').views, 2, 'at most');
  refuses(t, 'not-routed', () => routeOf(roster(), 'historian'));
  refuses(t, 'not-routed', () => routeOf(roster({ routes: [{ from: 'plc-A1', to: ['nobody'] }] }), 'plc-A1'));
});

t.test('a route can be narrowed, not widened', async (t) => {
  const narrowed = narrowedRoute(roster(), 'plc-A1', ['historian']);
  t.same(
    narrowed.recipients.map((entry) => entry.name),
    ['historian'],
  );
  t.equal(narrowed.views, 1);
  const single = roster({ routes: [{ from: 'plc-A1', to: ['historian'] }] });
  refuses(t, 'not-routed', () => narrowedRoute(single, 'plc-A1', ['dashboard']));
  refuses(t, 'not-routed', () => narrowedRoute(single, 'plc-A1', ['auditor', 'nobody']));
  refuses(t, 'not-in-roster', () => narrowedRoute(single, 'plc-A1', ['unheard-of']));
});

t.test('the senders of a receiver are those whose route leads to it', async (t) => {
  const names = (receiver: string, changes: Partial<Roster> = {}) =>
    sendersTo(roster(changes), receiver).map((entry) => entry.name);
  t.same(names('historian'), ['plc-A1'], 'through a group');
  t.same(names('auditor'), [], 'who may not receive has no senders');
  const routes = [{ from: 'historian', to: ['dashboard'] }];
  t.same(names('dashboard', { routes }), [], 'who may not send is none');
});

t.test('peers are those at the other end of a route', async (t) => {
  const routes = [
    { from: 'plc-A1', to: ['readers'] },
    { from: 'dashboard', to: ['historian'] },
  ];
  const names = (name: string) => peersOf(roster({ routes }), name).map((entry) => entry.name);
  t.same(names('plc-A1'), ['historian', 'dashboard']);
  t.same(names('dashboard'), ['historian', 'plc-A1'], 'in both directions');
  t.same(names('historian'), ['plc-A1', 'dashboard']);
  t.same(names('auditor'), []);
});

t.test('a receiver has a quarter more lanes than blocks come for it', async (t) => {
  const lanes = (senders: number, lanesUp = 1) => {
    const devices = Array.from({ length: senders }, (_, i) => ({ ...site.roster.devices[0]!, name: `plc-${i}` }));
    const routes = devices.map(({ name }) => ({ from: name, to: ['historian'] }));
    const profile = { ...site.roster.profile, lanesUp };
    return lanesNeeded({ ...site.roster, profile, devices: [...site.roster.devices, ...devices], routes });
  };
  t.same([lanes(0), lanes(1), lanes(4), lanes(5), lanes(4, 2), lanes(100)], [2, 2, 5, 7, 10, 64]);
});

t.test('a roster whose names lead nowhere is refused', async (t) => {
  const cases: [string, Partial<Roster>][] = [
    ['a group called like a device', { groups: { ...GROUPS, auditor: [] } }],
    ['a group of unknown devices', { groups: { ...GROUPS, more: ['unheard-of'] } }],
    ['a route to an unknown name', { routes: [{ from: 'plc-A1', to: ['unheard-of'] }] }],
    ['a route from an unknown name', { routes: [{ from: 'unheard-of', to: ['historian'] }] }],
    ['a route from a group', { routes: [{ from: 'readers', to: ['historian'] }] }],
    ['a route to an inherited name', { routes: [{ from: 'plc-A1', to: ['toString'] }] }],
  ];
  for (const [what, changes] of cases) refuses(t, 'schema-invalid', () => roster(changes), what);
});

t.test('a block size is a number of the allowed ones', async (t) => {
  for (const blockSize of [65_537, '65536', [65_536], null]) {
    const profile = { ...site.roster.profile, blockSize } as unknown as Roster['profile'];
    refuses(t, 'schema-invalid', () => roster({ profile }), JSON.stringify(blockSize));
  }
});
