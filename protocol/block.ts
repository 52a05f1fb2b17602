/**
 * The block: the one unit that carries payload, always exactly the sector profile's size.
 *
 *     header   "GPB1" | suite u8 | flags u8 | stanzaCount u16 | views u16 | ttl u32 s | iv 12 | stanzas | commit 32
 *     stanza   keyId 16 | X-Wing ciphertext 1120 | wrapped content key 48 | ackCommit 32
 *     body     AES-256-GCM(frame), AAD = header, tag 16
 *
 * This file parses and writes what stands in clear; envelope.ts seals and opens.
 */
import { ByteReader, ByteWriter, compareBytes, equalBytes, utf8 } from './bytes.ts';
import { KEM_CIPHERTEXT_BYTES } from './engine/engine.ts';
import { Problem } from './problem.ts';

export const DEFAULT_BLOCK_BYTES = 5_242_880;
export const MIN_BLOCK_BYTES = 65_536;
export const MAX_BLOCK_BYTES = 16_777_216;
/** Block sizes are multiples of this, so that paced writes fall on whole pieces. */
export const BLOCK_STEP_BYTES = 65_536;

export const KEY_ID_BYTES = 16;
export const FIXED_HEADER_BYTES = 26;
export const COMMIT_BYTES = 32;
export const STANZA_BYTES = 1216;
export const WRAPPED_KEY_BYTES = 48;
export const IV_BYTES = 12;
export const MAX_STANZAS = 256;
export const MAX_TTL_SECONDS = 604_800;

const MAGIC = utf8('GPB1');
/** Suite 1: X-Wing, HKDF-SHA256, AES-256-GCM, ML-DSA-65 with Ed25519. */
const SUITE = 1;
const FLAG_BURN_AT_CLAIM = 1;

/** One recipient's part of a header. Views into the block, not copies. */
export interface Stanza {
  readonly keyId: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly wrappedKey: Uint8Array;
  readonly ackCommit: Uint8Array;
}

/** The fields in front of the stanzas. */
export interface FixedHeader {
  /** At most once: the block burns when it is claimed, not when it is acknowledged. */
  readonly burnAtClaim: boolean;
  /** A power of two from 1 to 256; dummies fill up. */
  readonly stanzaCount: number;
  /** How many recipients may read the block, 1 to stanzaCount. */
  readonly views: number;
  /** Seconds until the relay destroys the block unread. */
  readonly ttlSeconds: number;
  readonly iv: Uint8Array;
}

export interface Header extends FixedHeader {
  readonly stanzas: readonly Stanza[];
  readonly commit: Uint8Array;
}

/** Whether `bytes` is a block size that a sector profile may name. */
export function isBlockSize(bytes: number): boolean {
  return bytes >= MIN_BLOCK_BYTES && bytes <= MAX_BLOCK_BYTES && bytes % BLOCK_STEP_BYTES === 0;
}

/** Length of a whole header with `stanzaCount` stanzas. */
export function headerBytes(stanzaCount: number): number {
  return FIXED_HEADER_BYTES + stanzaCount * STANZA_BYTES + COMMIT_BYTES;
}

/** How many stanzas a block for `recipients` recipients carries: the next power of two. */
export function stanzaCountFor(recipients: number): number {
  let count = 1;
  while (count < recipients) count *= 2;
  return count;
}

/** Writes the 26 bytes in front of the stanzas at the start of `block`. */
export function writeFixedHeader(block: Uint8Array, header: FixedHeader): void {
  new ByteWriter(block)
    .bytes(MAGIC)
    .u8(SUITE)
    .u8(header.burnAtClaim ? FLAG_BURN_AT_CLAIM : 0)
    .u16(header.stanzaCount)
    .u16(header.views)
    .u32(header.ttlSeconds)
    .bytes(header.iv);
}

/** Writes stanza `index` of a block. */
export function writeStanza(block: Uint8Array, index: number, stanza: Stanza): void {
  new ByteWriter(block.subarray(FIXED_HEADER_BYTES + index * STANZA_BYTES))
    .bytes(stanza.keyId)
    .bytes(stanza.ciphertext)
    .bytes(stanza.wrappedKey)
    .bytes(stanza.ackCommit);
}

/** Parses the header of a block from its first bytes; refuses `block-invalid`. Needs no more than the header. */
export function parseHeader(block: Uint8Array): Header {
  const reader = new ByteReader(block, 'block-invalid');
  const fixed = parseFixedHeader(reader);
  const stanzas = Array.from({ length: fixed.stanzaCount }, () => parseStanza(reader));
  refuseUnordered(stanzas);
  return { ...fixed, stanzas, commit: reader.bytes(COMMIT_BYTES) };
}

function parseFixedHeader(reader: ByteReader): FixedHeader {
  if (!equalBytes(reader.bytes(4), MAGIC)) throw new Problem('block-invalid', 'does not start with "GPB1"');
  const suite = reader.u8();
  if (suite !== SUITE) throw new Problem('block-invalid', `suite is ${suite}, this version knows ${SUITE}`);
  const flags = reader.u8();
  if ((flags & ~FLAG_BURN_AT_CLAIM) !== 0)
    throw new Problem('block-invalid', `flags 0x${flags.toString(16)} has unknown bits`);
  const stanzaCount = reader.u16();
  if (stanzaCount < 1 || stanzaCount > MAX_STANZAS || (stanzaCount & (stanzaCount - 1)) !== 0) {
    throw new Problem('block-invalid', `stanza count ${stanzaCount} is not a power of two from 1 to ${MAX_STANZAS}`);
  }
  const views = reader.u16();
  if (views < 1 || views > stanzaCount)
    throw new Problem('block-invalid', `views ${views} is not within 1 to ${stanzaCount}`);
  const ttlSeconds = reader.u32();
  if (ttlSeconds < 1 || ttlSeconds > MAX_TTL_SECONDS) {
    throw new Problem('block-invalid', `ttl ${ttlSeconds} s is not within 1 to ${MAX_TTL_SECONDS}`);
  }
  const iv = reader.bytes(IV_BYTES);
  return { burnAtClaim: flags === FLAG_BURN_AT_CLAIM, stanzaCount, views, ttlSeconds, iv };
}

function parseStanza(reader: ByteReader): Stanza {
  return {
    keyId: reader.bytes(KEY_ID_BYTES),
    ciphertext: reader.bytes(KEM_CIPHERTEXT_BYTES),
    wrappedKey: reader.bytes(WRAPPED_KEY_BYTES),
    ackCommit: reader.bytes(32),
  };
}

/** Stanzas stand in strictly ascending order of key id: one canonical order, no key twice, no place that tells. */
function refuseUnordered(stanzas: readonly Stanza[]): void {
  for (let i = 1; i < stanzas.length; i++) {
    if (compareBytes(stanzas[i - 1]!.keyId, stanzas[i]!.keyId) >= 0) {
      throw new Problem('block-invalid', `stanzas ${i - 1} and ${i} are not in ascending order of key id`);
    }
  }
}
