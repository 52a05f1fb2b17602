import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { isRevoked, REVOCATION, type Revocation } from '../../protocol/revocation.ts';
import { openDocument, signDocument } from '../../protocol/signed.ts';
import { party, refuses } from '../fixtures/protocol.ts';

const device = party(engine, 'plc-A1');
const [KEY, OTHER] = ['A'.repeat(43), 'B'.repeat(43)];
const revocation: Revocation = {
  v: 1,
  siteId: '0'.repeat(32),
  serial: 1,
  by: 'device',
  did: device.did,
  what: 'api-key',
  apiKeyHash: KEY,
  issuedMs: 0,
};

t.test('a revocation opens as it was signed', async (t) => {
  const document = signDocument(engine, device.signer, REVOCATION, revocation);
  t.same(
    openDocument(engine, REVOCATION, document, () => device.signer.publicKeys),
    revocation,
  );
  const { apiKeyHash: _, ...whole } = revocation;
  signDocument(engine, device.signer, REVOCATION, { ...whole, what: 'device' });
  const unknown = { ...revocation, what: 'site' } as unknown as Revocation;
  refuses(t, 'schema-invalid', () => signDocument(engine, device.signer, REVOCATION, unknown));
});

t.test('a device, or one of its keys', async (t) => {
  const { did } = device;
  t.ok(isRevoked([{ did, what: 'device' }], did));
  t.ok(isRevoked([{ did, what: 'device' }], did, KEY));
  t.ok(isRevoked([{ did, what: 'api-key', apiKeyHash: KEY }], did, KEY));
  t.notOk(isRevoked([{ did, what: 'api-key', apiKeyHash: KEY }], did, OTHER));
  t.notOk(isRevoked([{ did, what: 'api-key', apiKeyHash: KEY }], did), 'the device itself is not');
  t.notOk(isRevoked([{ did, what: 'api-key' }], did), 'an entry that names no key revokes none');
  t.notOk(isRevoked([{ did, what: 'device' }], party(engine, 'other').did));
  t.notOk(isRevoked([], did));
});
