/**
 * A second implementation of the reading side, written from docs/formats.md alone: it opens the stored blocks and
 * documents with node:crypto, noble and a JSON canonicaliser, and imports nothing of this project.
 *
 * What it needs and the page does not say is a fault of the page.
 */
import { createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { sha3_256, shake256 } from '@noble/hashes/sha3.js';
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { base58 } from '@scure/base';
import canonicalize from 'canonicalize';
import t from 'tap';

interface Vectors {
  readonly siteId: string;
  readonly operatorKeyHash: string;
  readonly apiKey: string;
  readonly parties: Record<
    string,
    { identitySeed: string; kemSeed: string; identity: string; did: string; keyId: string }
  >;
  readonly blocks: readonly {
    name: string;
    sha256: string;
    sender: string;
    header: { views: number; ttlSeconds: number; burnAtClaim: boolean };
    frame: Record<string, unknown>;
    plain: string;
    ackSecrets: Record<string, string>;
  }[];
  readonly documents: Record<string, string>;
  readonly receipt: string;
  readonly control: string;
}
interface Keys {
  readonly ed25519: Uint8Array;
  readonly mldsa65: Uint8Array;
}

// Section 1: conventions

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const unhex = (text: string): Buffer => Buffer.from(text, 'hex');
const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const unbase64url = (text: string): Buffer => Buffer.from(text, 'base64url');
const sha256 = (...parts: (Uint8Array | string)[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const hkdf = (secret: Uint8Array, salt: Uint8Array, info: Uint8Array | string, length: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, salt, info, length));
const labelled = (label: string, rest: Uint8Array): Buffer => Buffer.concat([Buffer.from(label), rest]);

// Section 3: algorithms

/** Opens AES-256-GCM; throws when the tag does not verify. */
function decrypt(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
  decipher.setAAD(aad).setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
}

function xwingKey(seed: Uint8Array) {
  const expanded = shake256(seed, { dkLen: 96 });
  const lattice = ml_kem768.keygen(expanded.subarray(0, 64));
  const curve = expanded.subarray(64);
  const curvePublic = x25519.getPublicKey(curve);
  return {
    publicKey: Buffer.concat([lattice.publicKey, curvePublic]),
    open(ciphertext: Buffer): Uint8Array {
      const [ctM, ctX] = [ciphertext.subarray(0, 1088), ciphertext.subarray(1088)];
      const ssM = ml_kem768.decapsulate(ctM, lattice.secretKey);
      const ssX = x25519.getSharedSecret(curve, ctX);
      return sha3_256(Buffer.concat([ssM, ssX, ctX, curvePublic, unhex('5c2e2f2f5e5c')]));
    },
  };
}

function verifies(keys: Keys, label: string, digest: Buffer, pair: Buffer): boolean {
  const context = Buffer.from(label);
  return (
    pair.length === 3373 &&
    ml_dsa65.verify(pair.subarray(0, 3309), digest, keys.mldsa65, { context }) &&
    ed25519.verify(pair.subarray(3309), labelled(label, digest), keys.ed25519)
  );
}

// Section 4: keys and names

function keysFromSeed(seed: Uint8Array): Keys {
  const derive = (label: string) => hkdf(seed, Buffer.alloc(0), label, 32);
  return {
    mldsa65: ml_dsa65.keygen(derive('ghostpipe/seed-ml-dsa-65/v1')).publicKey,
    ed25519: ed25519.getPublicKey(derive('ghostpipe/seed-ed25519/v1')),
  };
}

function keysFromText(text: { ed25519: string; mldsa65: string }): Keys {
  return { ed25519: unbase64url(text.ed25519), mldsa65: unbase64url(text.mldsa65) };
}

const digestOfIdentity = (text: string): Buffer => sha256(canonicalize(JSON.parse(text))!);
const didOf = (digest: Buffer): string => `did:paramant:${base58.encode(Buffer.concat([unhex('1220'), digest]))}`;
const keyIdOf = (publicKey: Uint8Array): Buffer => sha256('ghostpipe/key-id/v1', publicKey).subarray(0, 16);

// Sections 5 and 6: block and frame

const FRAME_TYPES = ['idle', 'records', 'fileChunk', 'firmwareChunk', 'firmwareReport', 'receipt', 'selftest'];
const TIME_QUALITIES = ['none', 'build', 'operator', 'ntp', 'ptp', 'nts'];

function open(block: Buffer, kemSeed: Uint8Array, senderKeys: Keys) {
  const [S, views, ttlSeconds] = [block.readUInt16BE(6), block.readUInt16BE(8), block.readUInt32BE(10)];
  const headerLength = 58 + 1216 * S;
  const [header, fixed] = [block.subarray(0, headerLength), block.subarray(0, 26)];
  const kem = xwingKey(kemSeed);
  const keyId = keyIdOf(kem.publicKey);
  const index = Array.from({ length: S }, (_, i) => i).find((i) =>
    header
      .subarray(26 + 1216 * i)
      .subarray(0, 16)
      .equals(keyId),
  )!;
  const stanza = header.subarray(26 + 1216 * index, 26 + 1216 * (index + 1));

  const ss = kem.open(stanza.subarray(16, 1136));
  const wrapKey = hkdf(ss, sha256(fixed), labelled('ghostpipe/wrap/v1', keyId), 32);
  const aad = Buffer.concat([fixed, Buffer.from([index >> 8, index & 0xff]), keyId]);
  const contentKey = decrypt(wrapKey, Buffer.alloc(12), aad, stanza.subarray(1136, 1184));
  const both = hkdf(contentKey, sha256(header.subarray(0, -32)), 'ghostpipe/payload/v1', 64);
  const committed = both.subarray(32).equals(header.subarray(-32));

  const frame = decrypt(both.subarray(0, 32), block.subarray(14, 26), header, block.subarray(headerLength));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(headerLength);
  const digest = sha256('ghostpipe/block/v1', length, header, frame.subarray(0, -3373));
  const signed = verifies(senderKeys, 'ghostpipe/block/v1', digest, frame.subarray(-3373));

  const ackSecret = hkdf(ss, frame.subarray(129, 161), labelled('ghostpipe/ack/v1', keyId), 32);
  const acknowledged = sha256('ghostpipe/ack-commit/v1', ackSecret).equals(stanza.subarray(1184));
  const magic = block.subarray(0, 4).toString('latin1') === 'GPB1' && block[4] === 1;
  const burnAtClaim = (block[5]! & 1) === 1;
  return { magic, views, ttlSeconds, burnAtClaim, committed, signed, acknowledged, ackSecret, ...parseFrame(frame) };
}

function parseFrame(frame: Buffer) {
  const u64 = (at: number) => Number(frame.readBigUInt64BE(at));
  const text = (at: number, length: number) => hex(frame.subarray(at, at + length));
  const dataLength = frame.readUInt32BE(163);
  const data = frame.subarray(227, 227 + dataLength);
  return {
    padded: frame.subarray(227 + dataLength, frame.length - 3373).every((byte) => byte === 0),
    plain: frame[162] === 1 ? zstdDecompressSync(data) : data,
    fields: {
      senderDigest: text(0, 32),
      keyGeneration: frame.readUInt32BE(32),
      streamId: text(36, 16),
      run: text(52, 16),
      previousRun: text(68, 16),
      blockSeq: u64(84),
      firstRecord: u64(92),
      recordCount: frame.readUInt32BE(100),
      wallTimeMs: u64(104),
      timeQuality: TIME_QUALITIES[frame[112]!],
      monotonicMs: u64(113),
      expiryMs: u64(121),
      ackSeed: text(129, 32),
      type: FRAME_TYPES[frame[161]!],
      codec: ['identity', 'zstd'][frame[162]!],
      plainBytes: frame.readUInt32BE(167),
      group: {
        id: text(171, 16),
        index: frame.readUInt32BE(187),
        count: frame.readUInt32BE(191),
        wholeSha256: text(195, 32),
      },
    },
  };
}

function parseRecords(plain: Buffer, firstRecord: number): { number: number; wallTime: number; bytes: Buffer }[] {
  const records = [];
  for (let at = 0; at < plain.length; ) {
    const length = plain.readUInt32BE(at + 12);
    const bytes = plain.subarray(at + 16, at + 16 + length);
    const wallTime = Number(plain.readBigUInt64BE(at + 4));
    records.push({ number: firstRecord + plain.readUInt32BE(at), wallTime, bytes });
    at += 16 + length;
  }
  return records;
}

// Section 10: signed documents

/** The body of a signed document, when its text is canonical and both signatures verify. */
function openDocument(text: string, kind: string, keys: Keys): Record<string, unknown> {
  const { signed, signatures } = JSON.parse(text);
  const pair = Buffer.concat([unbase64url(signatures.mldsa65), unbase64url(signatures.ed25519)]);
  const label = `ghostpipe/${kind}/v1`;
  if (canonicalize({ signed, signatures }) !== text) throw new Error('not canonical');
  if (!verifies(keys, label, sha256(label, canonicalize(signed)!), pair)) throw new Error('not signed');
  return signed;
}

for (const maker of ['portable', 'native']) {
  const vectors = JSON.parse(readFileSync(new URL(`${maker}.json`, import.meta.url), 'utf8')) as Vectors;
  const party = (name: string) => vectors.parties[name]!;
  const keysOf = (name: string) => keysFromText(JSON.parse(party(name).identity));

  t.test(`${maker}: identities`, async (t) => {
    for (const [name, { identitySeed, kemSeed, identity, did, keyId }] of Object.entries(vectors.parties)) {
      const keys = keysFromSeed(unhex(identitySeed));
      t.same([hex(keys.mldsa65), hex(keys.ed25519)], [hex(keysOf(name).mldsa65), hex(keysOf(name).ed25519)]);
      t.equal(didOf(digestOfIdentity(identity)), did);
      t.equal(hex(keyIdOf(xwingKey(unhex(kemSeed)).publicKey)), keyId);
    }
  });

  for (const { name, sha256: hash, sender, header, frame, plain, ackSecrets } of vectors.blocks) {
    t.test(`${maker}: block ${name}`, async (t) => {
      const block = readFileSync(new URL(`${maker}-${name}.block`, import.meta.url));
      t.equal(hex(sha256(block)), hash);
      for (const [reader, ackSecret] of Object.entries(ackSecrets)) {
        const opened = open(block, unhex(party(reader).kemSeed), keysOf(sender));
        t.match(opened, { magic: true, committed: true, signed: true, acknowledged: true, padded: true, ...header });
        t.same(opened.fields, frame);
        t.equal(hex(opened.plain), plain);
        t.equal(hex(opened.ackSecret), ackSecret);
        t.equal(opened.fields.senderDigest, hex(digestOfIdentity(party(sender).identity)));
        const digests = Object.keys(ackSecrets).map((each) => digestOfIdentity(party(each).identity));
        const route = digests.sort(Buffer.compare);
        const stream = sha256('ghostpipe/stream/v1', unhex(opened.fields.senderDigest), ...route);
        t.equal(opened.fields.streamId, hex(stream.subarray(0, 16)));
      }
    });
  }

  t.test(`${maker}: payloads`, async (t) => {
    const plainOf = (name: string) => unhex(vectors.blocks.find((block) => block.name === name)!.plain);
    const records = parseRecords(plainOf('records'), 40);
    t.same(
      records.map(({ number, wallTime }) => [number, wallTime]),
      [
        [40, 1_700_000_123_000],
        [43, 1_700_000_123_400],
      ],
    );
    t.equal(records[0]!.bytes.toString(), '{"tag":"TI-101","value":21.5}');
    const chunk = plainOf('file');
    const nameLength = chunk.readUInt16BE(0);
    t.equal(chunk.subarray(2, 2 + nameLength).toString(), 'trend.csv');
    t.equal(chunk.subarray(2 + nameLength).toString(), '12:00,21.5\n');
  });

  t.test(`${maker}: documents`, async (t) => {
    const { roster, grant, keyStatement, revocation } = vectors.documents;
    const operator = keysOf('operator');
    const pin = sha256('ghostpipe/operator-key/v1', operator.mldsa65, operator.ed25519);
    t.equal(vectors.operatorKeyHash, `sha256/${base64url(pin)}`);
    t.match(openDocument(roster!, 'roster', operator), { siteId: vectors.siteId, version: 3 });
    const apiKeyHash = base64url(sha256('ghostpipe/api-key/v1', vectors.apiKey));
    t.match(openDocument(grant!, 'grant', operator), { did: party('sender').did, apiKeyHash });
    const statement = openDocument(keyStatement!, 'key-statement', keysOf('sender'));
    t.equal(statement.keyId, base64url(keyIdOf(unbase64url(String(statement.xwing)))));
    t.match(openDocument(revocation!, 'revocation', keysOf('sender')), { by: 'device', what: 'api-key', apiKeyHash });
  });

  t.test(`${maker}: receipt and control frame`, async (t) => {
    const receipt = unhex(vectors.receipt);
    const label = 'ghostpipe/delivery-receipt/v1';
    t.equal(receipt.length, 3827);
    t.ok(verifies(keysOf('one'), label, sha256(label, receipt.subarray(0, 454)), receipt.subarray(454)));
    t.equal(receipt.subarray(0, 4).toString(), 'GPR1');
    t.equal(hex(receipt.subarray(4, 36)), hex(digestOfIdentity(party('one').identity)));
    t.same([receipt.readBigUInt64BE(100), receipt.readBigUInt64BE(108)], [9n, 41n], 'serial and next record');
    t.same([receipt[116], receipt.readBigUInt64BE(117), receipt.readUInt32BE(125)], [1, 43n, 1], 'one range');
    t.same([receipt[309], receipt.readBigUInt64BE(310), receipt[318]], [1, 5n, 7], 'one reject: incomplete');

    const control = Buffer.concat([unhex(vectors.control), Buffer.alloc(32_768)]).subarray(0, 32_768);
    t.equal(control.subarray(0, 4).toString(), 'GPC1');
    const types = [];
    for (let at = 4; control[at] !== 0; at += 3 + control.readUInt16BE(at + 1)) types.push(control[at]);
    t.same(types, [5, 7, 9, 10], 'epoch, lease, status, problem');
  });
}
