/**
 * Envelope v1: how a block is sealed to its readers and opened by one of them.
 *
 * Differs from plain hybrid encryption in four ways: the header *commits* to the one content key, sender signatures
 * cover the *whole* header, each reader gets its own *ack secret*, and routing stands only inside the block.
 */
import {
  FIXED_HEADER_BYTES,
  headerBytes,
  IV_BYTES,
  KEY_ID_BYTES,
  MAX_STANZAS,
  MAX_TTL_SECONDS,
  parseHeader,
  type Stanza,
  stanzaCountFor,
  writeFixedHeader,
  writeStanza,
} from './block.ts';
import { ByteWriter, compareBytes, concat, equalBytes, utf8 } from './bytes.ts';
import { decode, encode } from './codec.ts';
import {
  AEAD_TAG_BYTES,
  type Engine,
  type KemKey,
  SEED_BYTES,
  SIGNATURE_PAIR_BYTES,
  type SigningKey,
  type VerifyingKeys,
} from './engine/engine.ts';
import {
  type Frame,
  type FrameFields,
  frameCapacity,
  MAX_PLAIN_BYTES,
  parseFrame,
  signedPart,
  writeFrame,
} from './frame.ts';
import { keyIdOf } from './key-id.ts';
import { Problem } from './problem.ts';

const CONTENT_KEY_BYTES = 32;
/** A wrap key is used once, so its initialisation vector may be fixed. */
const ZERO_IV = new Uint8Array(IV_BYTES);

/** A reader that a block is sealed to. */
export interface Recipient {
  readonly keyId: Uint8Array;
  readonly publicKey: Uint8Array;
}

export interface SealOptions {
  readonly recipients: readonly Recipient[];
  /** How many of the recipients may read the block. */
  readonly views: number;
  readonly ttlSeconds: number;
  readonly burnAtClaim: boolean;
  readonly signer: SigningKey;
  /** All frame fields but those that sealing itself chooses. */
  readonly fields: Omit<FrameFields, 'ackSeed' | 'codec' | 'plainBytes'>;
  /** Data before compression. */
  readonly plain: Uint8Array;
}

/** What a reader holds after opening. */
export interface OpenedBlock {
  readonly frame: Frame;
  /** The frame's data after decompression. */
  readonly plain: Uint8Array;
  readonly keyId: Uint8Array;
  /** Proves to the relay that this reader decapsulated and opened the block. */
  readonly ackSecret: Uint8Array;
}

/** What opening needs to know of the world. */
export interface Reader {
  /** The private key for a key id, or undefined when it is not this reader's. */
  kemKey(keyId: Uint8Array): KemKey | undefined;
  /** The verified keys of a sender in the roster; undefined when it is not there or may not send. */
  senderKeys(senderDigest: Uint8Array): VerifyingKeys | undefined;
}

/** How much encoded data a block of `blockBytes` takes for `recipients` recipients. */
export function blockCapacity(blockBytes: number, recipients: number): number {
  return frameCapacity(blockBytes - headerBytes(stanzaCountFor(recipients)) - AEAD_TAG_BYTES);
}

/**
 * Seals `options.plain` into `block`, whose length is the sector's block size. Refuses `payload-invalid` when it does
 * not fit, `kem-invalid` for a recipient key that is none, and recipients, views or a time to live out of range.
 *
 * Every block is filled, hashed and encrypted whole. What its time still depends on: the ML-DSA signature, which tries
 * until one fits (on random bytes, not on the content); how `plain` divides into data to copy and zeros to write; and
 * compression, for data that would not fit otherwise.
 */
export function sealBlock(engine: Engine, block: Uint8Array, options: SealOptions): void {
  refuseUnsealable(options);
  const recipients = withDummies(engine, options.recipients);
  const header = block.subarray(0, headerBytes(recipients.length));
  const body = block.subarray(header.length);
  const frame = body.subarray(0, body.length - AEAD_TAG_BYTES);

  // 1. The fixed part: everything a relay may know besides the key ids.
  const iv = engine.random(IV_BYTES);
  writeFixedHeader(block, { ...options, stanzaCount: recipients.length, iv });
  const fixed = header.subarray(0, FIXED_HEADER_BYTES);

  // 2. One stanza a recipient: the content key wrapped under its shared secret, and its ack commitment.
  const contentKey = engine.random(CONTENT_KEY_BYTES);
  const ackSeed = engine.random(32);
  for (const [index, recipient] of recipients.entries()) {
    writeStanza(block, index, makeStanza(engine, fixed, index, recipient, contentKey, ackSeed));
  }

  // 3. The commitment ends the header.
  const { payloadKey, commit } = contentKeys(engine, contentKey, header);
  header.set(commit, header.length - commit.length);

  // 4. The frame, padded with zeros, signed together with the whole header.
  const { codec, data } = encode(options.plain, frameCapacity(frame.length));
  writeFrame(frame, { ...options.fields, ackSeed, codec, plainBytes: options.plain.length }, data);
  const digest = signatureDigest(engine, header, frame);
  frame.set(options.signer.sign('ghostpipe/block/v1', digest), frame.length - SIGNATURE_PAIR_BYTES);

  // 5. Encrypted in place.
  const tag = engine.aeadSeal(payloadKey, iv, header, frame, frame);
  body.set(tag, frame.length);
}

/**
 * Opens `block` in place for `reader`: the body is replaced by its frame, and the result's views point into it.
 * Nothing is decrypted before the commitment holds, nothing returned before both signatures verify.
 */
export function openBlock(engine: Engine, block: Uint8Array, reader: Reader): OpenedBlock {
  // 1. Find this reader's stanza.
  const parsed = parseHeader(block);
  const header = block.subarray(0, headerBytes(parsed.stanzaCount));
  const own = ownStanza(parsed.stanzas, reader);
  if (!own) throw new Problem('no-stanza', `none of ${parsed.stanzaCount} stanzas belongs to this reader`);

  // 2. Unwrap the content key and hold it against the commitment.
  const sharedSecret = own.kemKey.decapsulate(own.stanza.ciphertext);
  const contentKey = unwrap(engine, header.subarray(0, FIXED_HEADER_BYTES), own.index, own.stanza, sharedSecret);
  const { payloadKey, commit } = contentKeys(engine, contentKey, header);
  if (!equalBytes(commit, parsed.commit)) {
    throw new Problem('commit-mismatch', 'the content key of this stanza is not the one that the header commits to');
  }

  // 3. Decrypt.
  const body = block.subarray(header.length);
  if (body.length < AEAD_TAG_BYTES) throw new Problem('block-invalid', 'the block ends inside its header');
  const frameBytes = body.subarray(0, body.length - AEAD_TAG_BYTES);
  const tag = body.slice(frameBytes.length);
  if (!engine.aeadOpen(payloadKey, parsed.iv, header, frameBytes, tag, frameBytes)) {
    throw new Problem('body-invalid', 'the authentication tag of the body does not verify');
  }

  // 4. Who sealed it.
  const frame = parseFrame(frameBytes);
  const keys = reader.senderKeys(frame.senderDigest);
  if (!keys) throw new Problem('sender-unknown', 'the sender is not in the roster, or may not send');
  const digest = signatureDigest(engine, header, frameBytes);
  if (!engine.verify(keys, 'ghostpipe/block/v1', digest, frame.signatures)) {
    throw new Problem('signature-invalid', 'a signature of the sender does not verify');
  }

  // 5. The secret that acknowledges, and the data.
  const ackSecret = deriveAckSecret(engine, sharedSecret, frame.ackSeed, own.stanza.keyId);
  if (!equalBytes(ackCommit(engine, ackSecret), own.stanza.ackCommit)) {
    throw new Problem('ack-commit-mismatch', 'the ack secret of this stanza does not belong to its commitment');
  }
  return { frame, plain: decode(frame.codec, frame.data, frame.plainBytes), keyId: own.stanza.keyId, ackSecret };
}

/** What the relay compares an ack with: SHA-256 over the label and the ack secret. */
export function ackCommit(engine: Engine, ackSecret: Uint8Array): Uint8Array {
  return engine.sha256(utf8('ghostpipe/ack-commit/v1'), ackSecret);
}

/** What no relay or reader would take is not sealed either. */
function refuseUnsealable({ recipients, views, ttlSeconds, plain }: SealOptions): void {
  const count = recipients.length;
  if (count === 0) throw new Problem('no-recipient', 'a block needs at least one recipient');
  if (count > MAX_STANZAS) throw new Problem('block-invalid', `${count} recipients are more than ${MAX_STANZAS}`);
  if (views < 1 || views > count) throw new Problem('views-exceeded', `views ${views} is not within 1 to ${count}`);
  if (ttlSeconds < 1 || ttlSeconds > MAX_TTL_SECONDS) {
    throw new Problem('ttl-exceeded', `ttl ${ttlSeconds} s is not within 1 to ${MAX_TTL_SECONDS}`);
  }
  if (plain.length > MAX_PLAIN_BYTES) {
    throw new Problem('payload-invalid', `${plain.length} bytes are above ${MAX_PLAIN_BYTES}`);
  }
}

/** Fills up to a power of two with throw-away keys, and sorts: what is real cannot be told by bytes or place. */
function withDummies(engine: Engine, recipients: readonly Recipient[]): Recipient[] {
  const all = [...recipients];
  while (all.length < stanzaCountFor(recipients.length)) {
    const { publicKey } = engine.kemKey(engine.random(SEED_BYTES));
    all.push({ keyId: keyIdOf(engine, publicKey), publicKey });
  }
  return all.sort((a, b) => compareBytes(a.keyId, b.keyId));
}

function makeStanza(
  engine: Engine,
  fixed: Uint8Array,
  index: number,
  recipient: Recipient,
  contentKey: Uint8Array,
  ackSeed: Uint8Array,
): Stanza {
  const { ciphertext, sharedSecret } = engine.encapsulate(recipient.publicKey);
  const key = wrapKey(engine, sharedSecret, fixed, recipient.keyId);
  const wrapped = new Uint8Array(CONTENT_KEY_BYTES);
  const tag = engine.aeadSeal(key, ZERO_IV, wrapAad(fixed, index, recipient.keyId), contentKey, wrapped);
  const ackSecret = deriveAckSecret(engine, sharedSecret, ackSeed, recipient.keyId);
  return {
    keyId: recipient.keyId,
    ciphertext,
    wrappedKey: concat(wrapped, tag),
    ackCommit: ackCommit(engine, ackSecret),
  };
}

function ownStanza(
  stanzas: readonly Stanza[],
  reader: Reader,
): { index: number; stanza: Stanza; kemKey: KemKey } | undefined {
  for (const [index, stanza] of stanzas.entries()) {
    const kemKey = reader.kemKey(stanza.keyId);
    if (kemKey) return { index, stanza, kemKey };
  }
  return undefined;
}

function unwrap(
  engine: Engine,
  fixed: Uint8Array,
  index: number,
  stanza: Stanza,
  sharedSecret: Uint8Array,
): Uint8Array {
  const key = wrapKey(engine, sharedSecret, fixed, stanza.keyId);
  const sealed = stanza.wrappedKey.subarray(0, CONTENT_KEY_BYTES);
  const tag = stanza.wrappedKey.subarray(CONTENT_KEY_BYTES);
  const contentKey = new Uint8Array(CONTENT_KEY_BYTES);
  if (!engine.aeadOpen(key, ZERO_IV, wrapAad(fixed, index, stanza.keyId), sealed, tag, contentKey)) {
    throw new Problem('wrap-invalid', `the wrapped content key of stanza ${index} does not verify`);
  }
  return contentKey;
}

function wrapKey(engine: Engine, sharedSecret: Uint8Array, fixed: Uint8Array, keyId: Uint8Array): Uint8Array {
  return engine.hkdf(sharedSecret, engine.sha256(fixed), concat(utf8('ghostpipe/wrap/v1'), keyId), 32);
}

function wrapAad(fixed: Uint8Array, index: number, keyId: Uint8Array): Uint8Array {
  const aad = new Uint8Array(FIXED_HEADER_BYTES + 2 + KEY_ID_BYTES);
  new ByteWriter(aad).bytes(fixed).u16(index).bytes(keyId);
  return aad;
}

function contentKeys(
  engine: Engine,
  contentKey: Uint8Array,
  header: Uint8Array,
): { payloadKey: Uint8Array; commit: Uint8Array } {
  const salt = engine.sha256(header.subarray(0, header.length - 32));
  const both = engine.hkdf(contentKey, salt, utf8('ghostpipe/payload/v1'), 64);
  return { payloadKey: both.subarray(0, 32), commit: both.subarray(32) };
}

function deriveAckSecret(engine: Engine, sharedSecret: Uint8Array, ackSeed: Uint8Array, keyId: Uint8Array): Uint8Array {
  return engine.hkdf(sharedSecret, ackSeed, concat(utf8('ghostpipe/ack/v1'), keyId), 32);
}

function signatureDigest(engine: Engine, header: Uint8Array, frame: Uint8Array): Uint8Array {
  const headerLength = new Uint8Array(4);
  new ByteWriter(headerLength).u32(header.length);
  return engine.sha256(utf8('ghostpipe/block/v1'), headerLength, header, signedPart(frame));
}
