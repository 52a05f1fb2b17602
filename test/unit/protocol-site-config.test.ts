import t from 'tap';
import { configHash } from '../../protocol/boot-statement.ts';
import { canonicalBytes } from '../../protocol/canonical.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { keysText, operatorKeyHash } from '../../protocol/identity.ts';
import { check } from '../../protocol/shape.ts';
import { signDocument } from '../../protocol/signed.ts';
import {
  applianceSettings,
  openSiteConfig,
  parsePin,
  SITE_CONFIG,
  type SiteConfig,
} from '../../protocol/site-config.ts';
import { seedOf } from '../fixtures/site.ts';

const operator = engine.signingKey(seedOf('operator'));
const PIN = operatorKeyHash(operator.publicKeys);
const listener = (zone: string, calls: string[], address = '10.0.0.1') => ({
  zone,
  address,
  port: 3000,
  tls: 'pq',
  calls,
});
const OT = listener('ot', ['inbound', 'membership']);
const IT = listener('it', ['claim', 'membership'], '0.0.0.0');
const BOTH = { zones: ['ot', 'it'], name: 'eth0', address: '10.0.0.1/24' } as const;

function bodyOf(changes: object = {}, relay: object = {}): SiteConfig {
  return {
    v: 1,
    siteId: '0a'.repeat(16),
    operator: keysText(operator.publicKeys),
    version: 7,
    issuedMs: 0,
    minRosterVersion: 1,
    appliance: { board: 'pi4', interfaces: [BOTH], ...changes },
    relay: { listeners: [OT, IT], ...relay },
  };
}

function sealed(body: SiteConfig, signer = operator): Uint8Array {
  return canonicalBytes(signDocument(engine, signer, SITE_CONFIG, body));
}

t.test('a signed configuration opens, and only under the pin of its signer', async (t) => {
  t.equal(openSiteConfig(engine, sealed(bodyOf()), PIN).version, 7);
  const other = engine.signingKey(seedOf('other'));
  t.throws(() => openSiteConfig(engine, sealed(bodyOf()), operatorKeyHash(other.publicKeys)), {
    code: 'operator-mismatch',
  });
  t.throws(() => openSiteConfig(engine, sealed(bodyOf(), other), PIN), { code: 'signature-invalid' });
  t.equal(parsePin(`${PIN}\n`), PIN);
  t.throws(() => parsePin('sha256/short'), { code: 'schema-invalid' });
});

t.test('settings that do not go together', async (t) => {
  const open = (changes: object, relay: object = {}) => openSiteConfig(engine, sealed(bodyOf(changes, relay)), PIN);
  const cases: [object, object, string, RegExp][] = [
    [{ interfaces: [{ ...BOTH, mac: '02:00:5e:00:53:01' }] }, {}, 'interfaces[0]', /either name or mac/],
    [{ interfaces: [{ zones: ['ot', 'it'], address: 'dhcp' }] }, {}, 'interfaces[0]', /either name or mac/],
    [{ interfaces: [{ ...BOTH, address: 'dhcp', gateway: '10.0.0.2' }] }, {}, 'interfaces[0].gateway', /by itself/],
    [{ interfaces: [BOTH, { ...BOTH, name: 'eth1' }] }, {}, 'interfaces[1].zones', /zone ot is at interfaces 0 and 1/],
    [{ interfaces: [{ ...BOTH, zones: ['ot'] }] }, {}, 'interfaces', /no interface is in zone it/],
    [
      { interfaces: [{ ...BOTH, address: '10.0.0.2/24' }] },
      {},
      'interfaces[0].address',
      /listens in zone ot on 10.0.0.1/,
    ],
    [{ audit: { mode: 'required' } }, {}, 'audit.mode', /needs the marker of a stick/],
    [{}, { listeners: [OT] }, 'relay.listeners', /no listener serves claim/],
    [{}, { listeners: [IT] }, 'relay.listeners', /no listener serves inbound/],
  ];
  for (const [changes, relay, path, detail] of cases) {
    t.throws(() => open(changes, relay), { code: 'schema-invalid', path, detail }, String(detail));
  }
  t.doesNotThrow(() => open({ audit: { mode: 'required', stick: '0b'.repeat(16) } }));
});

t.test('each value is bounded, and what is not known is refused', async (t) => {
  const refused = (body: object, words: RegExp) =>
    t.throws(() => signDocument(engine, operator, SITE_CONFIG, body as SiteConfig), {
      code: 'schema-invalid',
      detail: words,
    });
  refused(bodyOf({ wifi: true }), /unknown key "wifi"/);
  refused(bodyOf({ board: 'pi5' }), /one of vm, arm64, pi4, pi3/);
  refused(bodyOf({ ntp: ['pool.ntp.org'] }), /an IP address/);
  refused(bodyOf({ notice: 'caf\u00e9' }), /printable ASCII/);
  refused(bodyOf({ interfaces: [{ ...BOTH, name: 'eth0"' }] }), /the name of a network interface/);
  refused(bodyOf({ interfaces: [{ ...BOTH, address: '10.0.0.300/24' }] }), /prefix length/);
  refused(bodyOf({}, { seedFile: 'x' }), /unknown key "seedFile"/);
  refused(bodyOf({}, { speed: 1 }), /unknown key "speed"/);
  refused({ ...bodyOf(), relay: [] }, /relay must be an object/);
  refused({ ...bodyOf(), version: 0 }, /an integer from 1/);
  for (const address of ['fd00::1/64', '10.0.0.1/32', 'dhcp']) {
    t.doesNotThrow(() => check(applianceSettings, { board: 'vm', interfaces: [{ ...BOTH, address }] }), address);
  }
});

t.test('the hash of a configuration needs the seed of its relay', async (t) => {
  const document = sealed(bodyOf());
  const [one, two] = ['relay', 'other'].map((name) => configHash(engine, seedOf(name), document));
  t.match(one, /^[A-Za-z0-9_-]{43}$/);
  t.not(one, two);
});
