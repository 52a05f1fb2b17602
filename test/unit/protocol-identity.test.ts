import { base58 } from '@scure/base';
import t from 'tap';
import { concat, utf8 } from '../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import {
  API_KEY_PATTERN,
  apiKeyHash,
  didDocument,
  didOf,
  digestOf,
  identityDigest,
  keysFromText,
  keysOfIdentity,
  keysText,
  makeApiKey,
  nameCommitment,
  operatorKeyHash,
} from '../../protocol/identity.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { party, refuses, sameBytes, seed } from '../fixtures/protocol.ts';

const device = party(engine, 'plc-A1');
const other = party(engine, 'other');

t.test('a DID holds the digest of its document', async (t) => {
  t.match(device.did, /^did:paramant:Qm[1-9A-HJ-NP-Za-km-z]{44}$/);
  sameBytes(t, digestOf(device.did), device.digest);
  sameBytes(t, identityDigest(device.identity), device.digest);
  t.equal(didOf(digestOf(device.did)), device.did);
});

t.test('what is no DID is refused', async (t) => {
  const multihash = (head: number[], length: number) =>
    `did:paramant:${base58.encode(concat(Uint8Array.from(head), new Uint8Array(length).fill(255)))}`;
  for (const [what, did] of [
    ['another method', device.did.replace('paramant', 'paramanx')],
    ['a character outside base58', device.did.replace('Qm', 'Q0')],
    ['another hash function', multihash([0x13, 32], 32)],
    ['another length', `${device.did}1`],
    ['a 33-byte multihash of the same text length', `did:paramant:1${base58.encode(new Uint8Array(33).fill(255))}`],
    ['nothing', ''],
  ] as const) {
    refuses(t, 'did-invalid', () => digestOf(did), what);
  }
});

t.test('keys come from a document that hashes to the identifier', async (t) => {
  const keys = keysOfIdentity(device.did, device.identity);
  sameBytes(t, keys.mldsa65, device.signer.publicKeys.mldsa65);
  sameBytes(t, keys.ed25519, device.signer.publicKeys.ed25519);
  refuses(t, 'did-mismatch', () => keysOfIdentity(device.did, other.identity));
  refuses(t, 'did-mismatch', () =>
    keysOfIdentity(device.did, { ...device.identity, nameCommitment: other.identity.nameCommitment }),
  );
  refuses(t, 'schema-invalid', () => keysOfIdentity(device.did, { ...device.identity, v: 2 }));
  refuses(t, 'did-invalid', () => keysOfIdentity('did:paramant:x', device.identity));
});

t.test('the W3C document names both keys as multikeys', async (t) => {
  const document = didDocument(device.identity) as {
    id: string;
    verificationMethod: { id: string; publicKeyMultibase: string; controller: string; type: string }[];
  };
  t.equal(document.id, device.did);
  const [mldsa65, ed25519] = document.verificationMethod;
  t.match(mldsa65, { id: `${device.did}#mldsa65`, type: 'Multikey', controller: device.did });
  t.match(ed25519, { id: `${device.did}#ed25519` });
  t.match(ed25519!.publicKeyMultibase, /^z6Mk/, 'the well-known prefix of Ed25519 multikeys');
  const raw = base58.decode(mldsa65!.publicKeyMultibase.slice(1));
  sameBytes(t, raw.subarray(0, 2), Uint8Array.of(0x91, 0x24));
  sameBytes(t, raw.subarray(2), device.signer.publicKeys.mldsa65);
});

t.test('keys in text form', async (t) => {
  const text = keysText(device.signer.publicKeys);
  sameBytes(t, keysFromText(text).mldsa65, device.signer.publicKeys.mldsa65);
  refuses(t, 'encoding-invalid', () => keysFromText({ ...text, ed25519: '!' }));
});

t.test('a name commitment depends on salt and name', async (t) => {
  const salt = seed('salt').subarray(0, 16);
  const expected = engine.sha256(utf8('ghostpipe/name-commitment/v1'), salt, utf8('plc-A1'));
  t.equal(nameCommitment(salt, 'plc-A1'), toBase64Url(expected));
});

t.test('operator key and API key', async (t) => {
  const { mldsa65, ed25519 } = device.signer.publicKeys;
  const digest = engine.sha256(utf8('ghostpipe/operator-key/v1'), mldsa65, ed25519);
  t.equal(operatorKeyHash(device.signer.publicKeys), `sha256/${toBase64Url(digest)}`);
  const key = makeApiKey(engine);
  t.match(key, API_KEY_PATTERN);
  t.not(makeApiKey(engine), key);
  t.equal(apiKeyHash(engine, key), toBase64Url(engine.sha256(utf8(`ghostpipe/api-key/v1${key}`))));
});
