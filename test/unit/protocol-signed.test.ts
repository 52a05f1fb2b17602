import t from 'tap';
import { canonicalBytes, type Json } from '../../protocol/canonical.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { portableEngine } from '../../protocol/engine/portable.ts';
import { integer, object } from '../../protocol/shape.ts';
import { type DocumentKind, openDocument, openDocumentBytes, signDocument } from '../../protocol/signed.ts';
import { coins, party, refuses } from '../fixtures/protocol.ts';

const NOTE: DocumentKind<{ readonly a: number }> = {
  label: 'ghostpipe/grant/v1',
  body: object({ a: integer(0, 9) }),
  limit: 8192,
};
const signer = party(engine, 'signer').signer;
const stranger = party(engine, 'stranger').signer;
const document = signDocument(engine, signer, NOTE, { a: 1 }) as { signed: Json; signatures: Record<string, string> };
const open = (value: Json, keys = signer.publicKeys, kind = NOTE) => openDocument(engine, kind, value, () => keys);

t.test('what one engine signs, both open', async (t) => {
  t.same(open(document), { a: 1 });
  t.same(
    openDocument(portableEngine(coins('signed')), NOTE, document, () => signer.publicKeys),
    { a: 1 },
  );
});

t.test('a body that does not fit its kind is not signed', async (t) => {
  refuses(t, 'schema-invalid', () => signDocument(engine, signer, NOTE, { a: 10 }));
});

t.test('whose keys count may depend on the body', async (t) => {
  openDocument(engine, NOTE, document, (body) => {
    t.same(body, { a: 1 });
    return signer.publicKeys;
  });
});

t.test('what is refused', async (t) => {
  refuses(t, 'signature-invalid', () => open(document, stranger.publicKeys), 'another signer');
  refuses(t, 'signature-invalid', () => open({ ...document, signed: { a: 2 } }), 'another body');
  const label = { ...NOTE, label: 'ghostpipe/roster/v1' };
  refuses(t, 'signature-invalid', () => open(document, signer.publicKeys, label), 'another kind');
  refuses(t, 'schema-invalid', () => open({ ...document, signed: { a: 10 } }), 'a body outside its shape');
  refuses(t, 'schema-invalid', () => open({ ...document, extra: 1 }), 'a third field');
  refuses(t, 'schema-invalid', () => open({ signed: { a: 1 } }), 'no signatures');
  const { mldsa65, ed25519 } = document.signatures;
  const loose = { mldsa65: mldsa65!, ed25519: `${ed25519!.slice(0, -1)}_` };
  refuses(t, 'encoding-invalid', () => open({ ...document, signatures: loose }), 'a second spelling of a signature');
});

t.test('bytes must be canonical and within the limit of the kind', async (t) => {
  const bytes = canonicalBytes(document);
  const openBytes = (value: Uint8Array, kind = NOTE) => openDocumentBytes(engine, kind, value, () => signer.publicKeys);
  t.same(openBytes(bytes), { a: 1 });
  refuses(t, 'json-not-canonical', () => openBytes(Buffer.from(JSON.stringify(document, null, 1))));
  refuses(t, 'json-invalid', () => openBytes(bytes, { ...NOTE, limit: bytes.length - 1 }));
});
