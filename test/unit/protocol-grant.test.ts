import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { GRANT, type Grant } from '../../protocol/grant.ts';
import { openDocument, signDocument } from '../../protocol/signed.ts';
import { party, refuses } from '../fixtures/protocol.ts';

const operator = party(engine, 'operator').signer;
const grant: Grant = {
  v: 1,
  siteId: '0'.repeat(32),
  serial: 1,
  did: party(engine, 'plc-A1').did,
  name: 'plc-A1',
  roles: ['send', 'receive'],
  zone: 'ot',
  apiKeyHash: 'A'.repeat(43),
  issuedMs: 0,
};

t.test('a grant that the operator signed opens as it was', async (t) => {
  const document = signDocument(engine, operator, GRANT, grant);
  t.same(
    openDocument(engine, GRANT, document, () => operator.publicKeys),
    grant,
  );
});

t.test('every field is checked', async (t) => {
  const wrong: { readonly [K in keyof Grant]: unknown } = {
    v: 2,
    siteId: 'x',
    serial: 0,
    did: 'plc-A1',
    name: 'plc A1',
    roles: ['send', 'send'],
    zone: 'dmz',
    apiKeyHash: 'A',
    issuedMs: -1,
  };
  for (const [name, value] of Object.entries(wrong)) {
    const changed = { ...grant, [name]: value } as Grant;
    refuses(t, 'schema-invalid', () => signDocument(engine, operator, GRANT, changed), name);
  }
});
