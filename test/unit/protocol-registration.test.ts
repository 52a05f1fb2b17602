import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { openRegistration } from '../../protocol/registration.ts';
import { refuses, sameBytes } from '../fixtures/protocol.ts';
import { makeSite } from '../fixtures/site.ts';

const site = makeSite({
  directory: t.testdir(),
  devices: [
    { name: 'plc-A1', roles: ['send'], zone: 'ot' },
    { name: 'other', roles: ['receive'], zone: 'it' },
  ],
  routes: [],
});
const device = site.device('plc-A1');
const other = site.device('other');
const trust = { operatorKeys: site.operator.publicKeys, siteId: site.siteId };
const open = (changes: object = {}, trusted = trust) =>
  openRegistration(engine, { ...device.registration, ...changes }, trusted);

t.test('a registration proves grant, identity and key', async (t) => {
  const registration = open();
  t.match(registration.grant, { name: 'plc-A1', did: device.did, roles: ['send'], zone: 'ot' });
  t.same(registration.identity, device.identity);
  t.equal(registration.statement.generation, 1);
  t.same(registration.statementDocument, device.keyStatement);
  sameBytes(t, registration.keys.mldsa65, device.signer.publicKeys.mldsa65);
  sameBytes(t, registration.recipient.keyId, device.recipient.keyId);
});

t.test('what is refused', async (t) => {
  refuses(t, 'schema-invalid', () => openRegistration(engine, {}, trust), 'an empty body');
  refuses(t, 'schema-invalid', () => open({ grant: null }), 'no grant');
  refuses(t, 'signature-invalid', () => open({}, { ...trust, operatorKeys: device.signer.publicKeys }), 'operator');
  refuses(t, 'site-mismatch', () => open({}, { ...trust, siteId: '0'.repeat(32) }), 'another site');
  refuses(t, 'did-mismatch', () => open({ identity: other.identity }), 'the identity of another device');
  refuses(t, 'signature-invalid', () => open({ keyStatement: other.keyStatement }), 'the key of another device');
  refuses(t, 'did-mismatch', () => open({ grant: other.grant }), 'the grant of another device');
});
