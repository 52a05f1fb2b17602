import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { KEY_STATEMENT, openKeyStatement, signKeyStatement } from '../../protocol/key-statement.ts';
import { signDocument } from '../../protocol/signed.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { party, refuses, sameBytes } from '../fixtures/protocol.ts';

const device = party(engine, 'plc-A1');
const other = party(engine, 'other');
const document = signKeyStatement(engine, device.signer, device.did, 4, device.kemKey.publicKey);
const open = (value = document, did = device.did, least = 1) =>
  openKeyStatement(engine, value, did, device.signer.publicKeys, least);

t.test('a statement gives the recipient that it names', async (t) => {
  const statement = open();
  t.match(statement, { v: 1, did: device.did, generation: 4, keyId: toBase64Url(device.recipient.keyId) });
  sameBytes(t, statement.recipient.publicKey, device.recipient.publicKey);
  sameBytes(t, statement.recipient.keyId, device.recipient.keyId);
  t.equal(open(document, device.did, 4).generation, 4, 'the newest seen is accepted again');
});

t.test('what is refused', async (t) => {
  refuses(t, 'statement-older', () => open(document, device.did, 5));
  refuses(t, 'did-mismatch', () => open(document, other.did));
  const forged = signKeyStatement(engine, other.signer, device.did, 4, other.kemKey.publicKey);
  refuses(t, 'signature-invalid', () => open(forged));
  const body = { v: 1 as const, did: device.did, generation: 4, xwing: toBase64Url(device.recipient.publicKey) };
  const renamed = signDocument(engine, device.signer, KEY_STATEMENT, {
    ...body,
    keyId: toBase64Url(other.recipient.keyId),
  });
  refuses(t, 'kem-invalid', () => open(renamed), 'a key id of another key');
  refuses(t, 'schema-invalid', () => signKeyStatement(engine, device.signer, device.did, 0, device.kemKey.publicKey));
});
