/**
 * A segment of the journal on the stick: a file of fixed size that is written from its start again and again, each time
 * under a new random id. A header, then frames, each of which continues a hash chain that begins with the header:
 *
 *     header   "GPJ1" | segmentId 16 | length u8 | origin | zeros, 512 bytes in all
 *     frame    kind u8 | length u32 | index u64 | chain 32 | payload
 *
 * A commit is a frame by which both epoch keys sign the number of records and the chain so far. Only what a commit
 * covers was ever promised. Reading stops at the first frame that does not continue the chain: behind it stands what a
 * power cut tore, or what the segment held before.
 */
import { ByteReader, ByteWriter, concat, equalBytes, utf8 } from './bytes.ts';
import { type Engine, SIGNATURE_ALGORITHMS, type SignatureAlgorithm, type SingleKey } from './engine/engine.ts';
import { HASH_BYTES, type Hasher } from './merkle.ts';
import { isKeyName } from './note.ts';
import { Problem } from './problem.ts';

export const SEGMENT_HEADER_BYTES = 512;
/** Of a log record or a checkpoint. */
export const MAX_FRAME_PAYLOAD_BYTES = 16_384;
const MAGIC = utf8('GPJ1');
const LABEL = 'ghostpipe/log-commit/v1';
const ID_BYTES = 16;
/** Kind, length and index; then the chain. */
const INDEXED_BYTES = 13;
const FRAME_HEAD_BYTES: number = INDEXED_BYTES + HASH_BYTES;
const ED25519_BYTES = SIGNATURE_ALGORITHMS.ed25519.signatureBytes;
const COMMIT_BYTES: number = ED25519_BYTES + SIGNATURE_ALGORITHMS['ml-dsa-44'].signatureBytes;
/** Kinds of frames by their number; there is no kind 0, which is what an unwritten place looks like. */
const KINDS = [null, 'record', 'head', 'commit'] as const;
const COMMIT: number = KINDS.indexOf('commit');
/** Signatures that a search for lost commits checks: more than honest bytes can hold. */
const MAX_CANDIDATES = 1024;

export interface SegmentHeader {
  /** 16 random bytes, new each time that the file is written from its start. */
  readonly segmentId: Uint8Array;
  /** Origin of the epoch. */
  readonly origin: string;
}

/** `record`: `index` is that of the leaf. `head`: a checkpoint, `index` is the size of its tree. */
export interface JournalItem {
  readonly kind: 'record' | 'head';
  readonly index: number;
  readonly payload: Uint8Array;
}

/** What was signed: that the epoch has `below` records, and the chain up to there. */
export interface Commit {
  readonly below: number;
  readonly chain: Uint8Array;
  /** Ed25519, then ML-DSA-44. */
  readonly signature: Uint8Array;
  /** Items of the segment in front of it. */
  readonly items: number;
}

export interface Segment {
  readonly header: SegmentHeader;
  readonly items: readonly JournalItem[];
  readonly commits: readonly Commit[];
  /** Where reading stopped. */
  readonly end: number;
}

/** The keys that sign commits: those of the epoch. */
export type CommitSigners = Readonly<Record<Exclude<SignatureAlgorithm, 'ml-dsa-65'>, SingleKey>>;
export type CommitKeys = Readonly<Record<keyof CommitSigners, Uint8Array>>;

/** The header as it stands in the file; the origin has 1 to 255 bytes. */
export function encodeSegmentHeader({ segmentId, origin }: SegmentHeader): Uint8Array {
  const name = utf8(origin);
  const out = new Uint8Array(SEGMENT_HEADER_BYTES);
  new ByteWriter(out).bytes(MAGIC).bytes(segmentId).u8(name.length).bytes(name);
  return out;
}

/** Writes the frames of one segment, in their order. */
export class FrameChain {
  readonly #hasher: Hasher;
  #value: Uint8Array;

  /** Begins behind the encoded header. */
  constructor(hasher: Hasher, header: Uint8Array) {
    this.#hasher = hasher;
    this.#value = hasher.sha256(header);
  }

  /** The chain so far: what the next commit signs. */
  get value(): Uint8Array {
    return this.#value;
  }

  /** The frame of an item. */
  add({ kind, index, payload }: JournalItem): Uint8Array {
    const head = frameHead(kind, index, payload);
    this.#value = nextValue(this.#hasher, this.#value, head, payload);
    return concat(head, this.#value, payload);
  }

  /** The frame of a commit of the chain so far. */
  commit(below: number, signature: Uint8Array): Uint8Array {
    return concat(frameHead('commit', below, signature), this.#value, signature);
  }
}

/** Bytes of the frame of an item. */
export function frameBytes({ payload }: Pick<JournalItem, 'payload'>): number {
  return FRAME_HEAD_BYTES + payload.length;
}

/** Bytes of the frame of a commit. */
export const COMMIT_FRAME_BYTES: number = FRAME_HEAD_BYTES + COMMIT_BYTES;

/** Both signatures of a commit. */
export function signCommit(hasher: Hasher, signers: CommitSigners, below: number, chain: Uint8Array): Uint8Array {
  const digest = commitDigest(hasher, below, chain);
  return concat(signers.ed25519.sign(LABEL, digest), signers['ml-dsa-44'].sign(LABEL, digest));
}

/** Reads a segment as far as its chain goes, without believing it; refuses `file-invalid` when it has no header. */
export function parseSegment(hasher: Hasher, bytes: Uint8Array): Segment {
  const header = parseHeader(bytes);
  const items: JournalItem[] = [];
  const commits: Commit[] = [];
  let chain = hasher.sha256(bytes.subarray(0, SEGMENT_HEADER_BYTES));
  let end = SEGMENT_HEADER_BYTES;
  for (let frame = frameAt(bytes, end); frame; frame = frameAt(bytes, end)) {
    const { kind, index, payload } = frame;
    if (kind === 'commit') {
      if (!equalBytes(frame.chain, chain)) break;
      commits.push({ below: index, chain, signature: payload, items: items.length });
    } else {
      const next = nextValue(hasher, chain, frame.head, payload);
      if (!equalBytes(frame.chain, next)) break;
      chain = next;
      items.push({ kind, index, payload });
    }
    end += frameBytes(frame);
  }
  return { header, items, commits, end };
}

/** What the newest commit covers that both keys signed; null when there is none. */
export function committed(
  engine: Engine,
  keys: CommitKeys,
  { items, commits }: Segment,
): { readonly items: readonly JournalItem[]; readonly below: number } | null {
  const newest = commits.findLast((commit) => isSigned(engine, keys, commit));
  return newest ? { items: items.slice(0, newest.items), below: newest.below } : null;
}

/**
 * Looks behind the place where reading stopped for a commit of more than `below` records that the keys signed, and
 * gives its number of records: whoever finds one knows that the segment was damaged, not torn. Null when there is none.
 */
export function lostCommit(
  engine: Engine,
  keys: CommitKeys,
  bytes: Uint8Array,
  { end }: Pick<Segment, 'end'>,
  below: number,
): number | null {
  let found = below;
  for (let at = end, tried = 0; at < bytes.length && tried < MAX_CANDIDATES; at++) {
    const frame = bytes[at] === COMMIT ? frameAt(bytes, at) : undefined;
    if (frame?.kind !== 'commit' || frame.index <= found) continue;
    tried += 1;
    if (isSigned(engine, keys, { below: frame.index, chain: frame.chain, signature: frame.payload })) {
      found = frame.index;
    }
  }
  return found > below ? found : null;
}

function isSigned(engine: Engine, keys: CommitKeys, { below, chain, signature }: Omit<Commit, 'items'>): boolean {
  const digest = commitDigest(engine, below, chain);
  const [ed25519, mldsa44] = [signature.subarray(0, ED25519_BYTES), signature.subarray(ED25519_BYTES)];
  return (
    engine.verifySingle('ml-dsa-44', keys['ml-dsa-44'], LABEL, digest, mldsa44) &&
    engine.verifySingle('ed25519', keys.ed25519, LABEL, digest, ed25519)
  );
}

function parseHeader(bytes: Uint8Array): SegmentHeader {
  const reader = new ByteReader(bytes.subarray(0, SEGMENT_HEADER_BYTES), 'file-invalid');
  if (!equalBytes(reader.bytes(4), MAGIC)) throw new Problem('file-invalid', 'the segment does not start with "GPJ1"');
  const segmentId = reader.bytes(ID_BYTES);
  const origin = new TextDecoder().decode(reader.bytes(reader.u8()));
  if (!isKeyName(origin)) throw new Problem('file-invalid', 'the segment does not name the origin of an epoch');
  const header = { segmentId, origin };
  if (!equalBytes(encodeSegmentHeader(header), bytes.subarray(0, SEGMENT_HEADER_BYTES))) {
    throw new Problem('file-invalid', 'the header of the segment is not as it is written');
  }
  return header;
}

/** The frame at `at`, views of `bytes`; undefined when none can stand there. */
function frameAt(bytes: Uint8Array, at: number) {
  if (at + FRAME_HEAD_BYTES > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  const kind = KINDS[view.getUint8(0)];
  const length = view.getUint32(1);
  const index = view.getBigUint64(5);
  const isLong = kind === 'commit' ? length !== COMMIT_BYTES : length === 0 || length > MAX_FRAME_PAYLOAD_BYTES;
  const end = at + FRAME_HEAD_BYTES + length;
  if (!kind || isLong || index > BigInt(Number.MAX_SAFE_INTEGER) || end > bytes.length) return undefined;
  return {
    kind,
    index: Number(index),
    head: bytes.subarray(at, at + INDEXED_BYTES),
    chain: bytes.subarray(at + INDEXED_BYTES, at + FRAME_HEAD_BYTES),
    payload: bytes.subarray(at + FRAME_HEAD_BYTES, end),
  };
}

function frameHead(kind: 'record' | 'head' | 'commit', index: number, payload: Uint8Array): Uint8Array {
  const head = new Uint8Array(INDEXED_BYTES);
  new ByteWriter(head).u8(KINDS.indexOf(kind)).u32(payload.length).u64(index);
  return head;
}

function nextValue(hasher: Hasher, value: Uint8Array, head: Uint8Array, payload: Uint8Array): Uint8Array {
  return hasher.sha256(value, head, payload);
}

/** SHA-256(label || below || chain). */
function commitDigest(hasher: Hasher, below: number, chain: Uint8Array): Uint8Array {
  const number = new Uint8Array(8);
  new ByteWriter(number).u64(below);
  return hasher.sha256(utf8(LABEL), number, chain);
}
