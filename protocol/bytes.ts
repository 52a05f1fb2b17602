/**
 * Strict big-endian reading and writing of fixed binary layouts.
 *
 * Integers wider than 32 bits are refused above 2^53 - 1: every counter of the protocol fits, and a JavaScript
 * number stays exact.
 */
import { Problem, type ProblemCode } from './problem.ts';

const UTF8 = new TextEncoder();

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return UTF8.encode(text);
}

/** One array holding `parts` in order. */
export function concat(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** True when `a` and `b` hold the same bytes; time depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** Lexicographic order of unsigned bytes: negative, zero or positive, as `Array.prototype.sort` wants it. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** True when every byte is zero. Native comparison where the runtime has one: padding is megabytes. */
export function isZero(bytes: Uint8Array): boolean {
  const step = 65_536;
  const zeros = new Uint8Array(Math.min(step, bytes.length));
  for (let at = 0; at < bytes.length; at += step) {
    const part = bytes.subarray(at, at + step);
    if (!sameView(part, zeros.subarray(0, part.length))) return false;
  }
  return true;
}

function sameView(a: Uint8Array, b: Uint8Array): boolean {
  return typeof Buffer === 'undefined' ? equalBytes(a, b) : Buffer.compare(a, b) === 0;
}

/**
 * Gives the memory of `bytes`, which nobody may use any more, back at once; bytes that share their memory are left alone.
 * The collector would come for it later, and its work grows with the whole heap, not with what it frees: on the data
 * path it took a quarter of the time.
 */
export function release({ buffer, length }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}

/** Reads a binary layout from front to back; every refusal carries the `code` it was made with. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #code: ProblemCode;
  #at = 0;

  constructor(bytes: Uint8Array, code: ProblemCode) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#code = code;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** An unsigned 64-bit integer that must be at most 2^53 - 1. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Problem(this.#code, `integer ${value} is above 2^53 - 1`);
    return Number(value);
  }

  /** A view of the next `length` bytes (not a copy). */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Refuses anything left over. */
  end(): void {
    if (this.left !== 0) throw new Problem(this.#code, `${this.left} bytes follow where the layout ends`);
  }

  #take(length: number): number {
    if (length > this.left) throw new Problem(this.#code, `needs ${length} more bytes, has ${this.left}`);
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

/** Writes a binary layout into a given buffer from front to back. Writing past the end is a programming error. */
export class ByteWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(value: number): this {
    this.#view.setUint8(this.at, value);
    this.at += 1;
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.at, value);
    this.at += 2;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.at, value);
    this.at += 4;
    return this;
  }

  u64(value: number): this {
    this.#view.setBigUint64(this.at, BigInt(value));
    this.at += 8;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#bytes.set(value, this.at);
    this.at += value.length;
    return this;
  }

  zeros(length: number): this {
    this.#bytes.fill(0, this.at, this.at + length);
    this.at += length;
    return this;
  }
}
