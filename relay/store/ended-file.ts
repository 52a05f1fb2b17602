/**
 * What outlives the process of transfers that ended, and the epoch: one file of fixed entries, the oldest written over.
 *
 * Without it a crash would make the relay forget that a block was read: submitted again by a sender that got no
 * answer, it would be given to a second reader. docs/formats.md section 15 is its table.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { ByteReader, ByteWriter, equalBytes, isZero, utf8 } from '../../protocol/bytes.ts';
import { TRANSFER_STATES, type TransferState } from '../../protocol/control.ts';
import { didOf, digestOf } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import { fromHex, toHex } from '../../protocol/text.ts';
import type { WriteAt } from './slot-file.ts';

/** Entries behind the head: 27 ends a second for the ten minutes that they are remembered. */
export const ENDED_ENTRIES = 16_384;
export const ENTRY_BYTES = 160;
const FILE_BYTES = (1 + ENDED_ENTRIES) * ENTRY_BYTES;

const HEAD_MAGIC = utf8('GPX1');
const ENTRY_MAGIC = utf8('GPY1');
const HASH_BYTES = 32;
const ID_BYTES = 16;
const PIECE_BYTES = 65_536;

/** One transfer that ended. */
export interface EndedTransfer {
  readonly id: string;
  /** DID of the device that submitted the block. */
  readonly sender: string;
  /** SHA-256 of the block in hex. */
  readonly hash: string;
  readonly end: { readonly state: TransferState; readonly atMs: number };
}

export interface EndedFileOptions {
  readonly path: string;
  /** 16 bytes of this boot. */
  readonly bootId: Uint8Array;
  /** 16 random bytes: the epoch, unless the file has one of this boot. */
  readonly newEpoch: Uint8Array;
  readonly write: WriteAt;
}

export class EndedFile {
  /** What the file held, in the order in which it ended. */
  readonly found: readonly EndedTransfer[];
  readonly #options: EndedFileOptions;
  readonly #fd: number;
  #epoch: Uint8Array;
  #sequence = 0;
  #closed = false;

  /** Opens the file, mode 600; makes it anew unless it is whole and of this boot. Throws what the system throws. */
  constructor(options: EndedFileOptions) {
    this.#options = options;
    this.#fd = openSync(options.path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    const bytes = fstatSync(this.#fd).size === FILE_BYTES ? readFileSync(this.#fd) : null;
    const epoch = bytes && parsed(() => parseHead(entryAt(bytes, 0), options.bootId));
    this.#epoch = epoch ?? options.newEpoch;
    this.found = bytes && epoch ? this.#read(bytes) : [];
    if (!epoch) this.#make();
  }

  /** Lives as long as nothing that was held is lost. */
  get epoch(): Uint8Array {
    return this.#epoch;
  }

  /** Something that was held is lost: a new epoch begins. */
  beginEpoch(): void {
    this.#epoch = this.#options.newEpoch;
    this.#put(0, encodeHead(this.#options.bootId, this.#epoch));
  }

  /** Writes down how a transfer ended, over the oldest entry. */
  add(transfer: EndedTransfer): void {
    this.#sequence += 1;
    this.#put(placeOf(this.#sequence), encodeEntry(this.#sequence, this.#options.bootId, transfer));
  }

  close(): void {
    if (!this.#closed) closeSync(this.#fd);
    this.#closed = true;
  }

  #read(bytes: Uint8Array): EndedTransfer[] {
    const entries = Array.from({ length: ENDED_ENTRIES }, (_, i) => entryAt(bytes, i + 1)).flatMap((entry, i) => {
      const one = isZero(entry) ? undefined : parsed(() => parseEntry(entry, this.#options.bootId));
      return one && placeOf(one.sequence) === i + 1 ? [one] : [];
    });
    entries.sort((a, b) => a.sequence - b.sequence);
    this.#sequence = entries.at(-1)?.sequence ?? 0;
    return entries.map(({ transfer }) => transfer);
  }

  /** Allocates all of it: later there may be no room. The head comes last, so that a file half made is none. */
  #make(): void {
    const piece = new Uint8Array(PIECE_BYTES);
    for (let at = 0; at < FILE_BYTES; at += PIECE_BYTES) {
      this.#options.write(this.#fd, piece.subarray(0, FILE_BYTES - at), at);
    }
    this.#put(0, encodeHead(this.#options.bootId, this.#epoch));
  }

  #put(place: number, entry: Uint8Array): void {
    if (!this.#closed) this.#options.write(this.#fd, entry, place * ENTRY_BYTES);
  }
}

function placeOf(sequence: number): number {
  return 1 + (sequence % ENDED_ENTRIES);
}

function entryAt(bytes: Uint8Array, place: number): Uint8Array {
  return bytes.subarray(place * ENTRY_BYTES, (place + 1) * ENTRY_BYTES);
}

/** What `parse` gives, or undefined when the bytes are damaged or of another boot. */
function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (thrown) {
    if (thrown instanceof Problem) return undefined;
    throw thrown;
  }
}

function encodeHead(bootId: Uint8Array, epoch: Uint8Array): Uint8Array {
  return hashed((writer) => writer.bytes(HEAD_MAGIC).bytes(bootId).bytes(epoch));
}

function parseHead(bytes: Uint8Array, bootId: Uint8Array): Uint8Array {
  const reader = checked(bytes, HEAD_MAGIC);
  requireBoot(reader, bootId);
  return new Uint8Array(reader.bytes(ID_BYTES));
}

function encodeEntry(sequence: number, bootId: Uint8Array, { id, sender, hash, end }: EndedTransfer): Uint8Array {
  return hashed((writer) =>
    writer
      .bytes(ENTRY_MAGIC)
      .bytes(bootId)
      .u64(sequence)
      .bytes(fromHex(id, ID_BYTES))
      .bytes(digestOf(sender))
      .bytes(fromHex(hash, HASH_BYTES))
      .u64(Math.round(end.atMs * 1000))
      .u8(TRANSFER_STATES.indexOf(end.state)),
  );
}

function parseEntry(bytes: Uint8Array, bootId: Uint8Array): { sequence: number; transfer: EndedTransfer } {
  const reader = checked(bytes, ENTRY_MAGIC);
  requireBoot(reader, bootId);
  const sequence = reader.u64();
  const id = toHex(reader.bytes(ID_BYTES));
  const sender = didOf(reader.bytes(32));
  const hash = toHex(reader.bytes(HASH_BYTES));
  const atMs = reader.u64() / 1000;
  const state = TRANSFER_STATES[reader.u8()];
  if (state === undefined) throw new Problem('file-invalid', 'the state is unknown');
  return { sequence, transfer: { id, sender, hash, end: { state, atMs } } };
}

function hashed(write: (writer: ByteWriter) => void): Uint8Array {
  const bytes = new Uint8Array(ENTRY_BYTES);
  write(new ByteWriter(bytes).zeros(HASH_BYTES));
  bytes.set(sha256(bytes.subarray(HASH_BYTES)));
  return bytes;
}

/** A reader behind hash and magic, both checked. */
function checked(bytes: Uint8Array, magic: Uint8Array): ByteReader {
  const reader = new ByteReader(bytes, 'file-invalid');
  const hash = reader.bytes(HASH_BYTES);
  const whole = equalBytes(hash, sha256(bytes.subarray(HASH_BYTES))) && equalBytes(reader.bytes(4), magic);
  if (!whole) throw new Problem('file-invalid', 'the entry is damaged');
  return reader;
}

function requireBoot(reader: ByteReader, bootId: Uint8Array): void {
  if (!equalBytes(reader.bytes(ID_BYTES), bootId)) throw new Problem('file-invalid', 'the entry is of another boot');
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
