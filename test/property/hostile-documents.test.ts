/** Documents from strangers: opened as they were signed, refused with a code in any other form. */
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import { canonicalBytes, type Json, parseCanonical } from '../../protocol/canonical.ts';
import { parseRelayConfig } from '../../protocol/config.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { GRANT } from '../../protocol/grant.ts';
import { keysOfIdentity } from '../../protocol/identity.ts';
import { openKeyStatement } from '../../protocol/key-statement.ts';
import { openRegistration } from '../../protocol/registration.ts';
import { REVOCATION } from '../../protocol/revocation.ts';
import { openRoster } from '../../protocol/roster.ts';
import { openDocument, signDocument } from '../../protocol/signed.ts';
import { codesOf, mutated, warped } from '../fixtures/mutations.ts';
import { codeOf, coins } from '../fixtures/protocol.ts';
import { makeSite } from '../fixtures/site.ts';

const random = coins('hostile documents');
const site = makeSite({
  directory: t.testdir(),
  devices: [
    { name: 'plc-A1', roles: ['send'], zone: 'ot' },
    { name: 'historian', roles: ['receive'], zone: 'it' },
  ],
  routes: [{ from: 'plc-A1', to: ['historian'] }],
});
const device = site.device('plc-A1');
/** Opens each signed document as its receiver would. */
const DOCUMENTS: [string, Json, (document: Json) => unknown][] = (() => {
  const operator = () => site.operator.publicKeys;
  const revocation = signDocument(engine, site.operator, REVOCATION, {
    v: 1,
    siteId: site.siteId,
    serial: 1,
    by: 'operator',
    did: device.did,
    what: 'device',
    issuedMs: 0,
  });
  const { registration } = device;
  const trust = { operatorKeyHash: site.operatorKeyHash, siteId: site.siteId, minVersion: 0 };
  const roster = parseCanonical(site.rosterBytes, site.rosterBytes.length);
  return [
    ['grant', device.grant, (value) => openDocument(engine, GRANT, value, operator)],
    ['revocation', revocation, (value) => openDocument(engine, REVOCATION, value, operator)],
    [
      'key statement',
      device.keyStatement,
      (value) => openKeyStatement(engine, value, device.did, device.signer.publicKeys, 1),
    ],
    ['identity', device.identity, (value) => keysOfIdentity(device.did, value)],
    [
      'registration',
      { ...registration },
      (value) => openRegistration(engine, value, { operatorKeys: operator(), siteId: site.siteId }),
    ],
    ['roster', roster, (value) => openRoster(engine, bytesOf(value), trust)],
  ];
})();

for (const [what, document, open] of DOCUMENTS) {
  t.test(`${what}: warped in any place it is refused`, async (t) => {
    t.equal(
      codeOf(() => open(document)),
      'accepted',
    );
    const mutate = () => {
      let value = warped(random, document);
      while (isDeepStrictEqual(value, document)) value = warped(random, document);
      return value;
    };
    const codes = codesOf(400, mutate, open);
    t.notOk(codes.has('accepted'), JSON.stringify([...codes]));
    t.ok(codes.has('schema-invalid'));
  });

  t.test(`${what}: with any of its bytes changed it is refused`, async (t) => {
    const bytes = canonicalBytes(document);
    const reopen = (value: Uint8Array) => open(parseCanonical(value, 1_048_576));
    t.equal(
      codeOf(() => reopen(bytes)),
      'accepted',
    );
    const codes = codesOf(400, () => mutated(random, bytes), reopen);
    t.notOk(codes.has('accepted'), JSON.stringify([...codes]));
  });
}

t.test('relay configuration', async (t) => {
  const config: Json = {
    name: 'relay-1',
    site: { siteId: site.siteId, operatorKeyHash: site.operatorKeyHash, rosterFile: 'roster.json' },
    listeners: [{ zone: 'ot', address: '127.0.0.1', port: 0, tls: 'pq', calls: ['inbound', 'health'] }],
    store: { slots: 8 },
    limits: { leaseSeconds: 5, connections: 9 },
    logLevel: 'info',
  };
  const codes = codesOf(3000, () => warped(random, config), parseRelayConfig);
  t.same([...codes.keys()].sort(), ['accepted', 'schema-invalid']);
});

/** Canonical bytes where there are any; a document that has none cannot be sent as one. */
function bytesOf(value: Json): Uint8Array {
  try {
    return canonicalBytes(value);
  } catch {
    return utf8(JSON.stringify(value));
  }
}
