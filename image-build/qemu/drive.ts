/** A guest's disk as a file: a copy to boot from, its hash, its partitions, and one flipped bit. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync, writeSync } from 'node:fs';
import { Problem } from '../../protocol/problem.ts';

const SECTOR = 512;
/** A GPT entry: types and names of at most 128 partitions, 128 bytes each (UEFI 2.10, 5.3). */
const ENTRY_BYTES = 128;
const MAX_ENTRIES = 128;

export interface Partition {
  readonly name: string;
  /** First byte, and how many. */
  readonly start: number;
  readonly bytes: number;
}

/** Copies an image, holes and all. */
export function copyDrive(image: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['--sparse=always', '--reflink=auto', image, to], { encoding: 'utf8' });
  if (status !== 0) throw new Problem('file-invalid', `${image} cannot be copied: ${stderr.trim()}`);
}

/** SHA-256 of every byte of a file, in hexadecimal. */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** The partitions of a GPT disk, in its order; refuses `file-invalid` for what has no such table. */
export function partitionsOf(path: string): Partition[] {
  const file = openSync(path, 'r');
  try {
    const header = readAt(file, SECTOR, 92);
    if (header.toString('latin1', 0, 8) !== 'EFI PART') throw new Problem('file-invalid', `${path} has no GPT`);
    const count = Math.min(header.readUInt32LE(80), MAX_ENTRIES);
    if (header.readUInt32LE(84) !== ENTRY_BYTES) throw new Problem('file-invalid', `${path} has a GPT of another kind`);
    const table = readAt(file, Number(header.readBigUInt64LE(72)) * SECTOR, count * ENTRY_BYTES);
    return Array.from({ length: count }, (_, at) => table.subarray(at * ENTRY_BYTES, (at + 1) * ENTRY_BYTES))
      .filter((entry) => entry.subarray(0, 16).some((byte) => byte !== 0))
      .map(partition);
  } finally {
    closeSync(file);
  }
}

function partition(entry: Buffer): Partition {
  const [first, last] = [Number(entry.readBigUInt64LE(32)), Number(entry.readBigUInt64LE(40))];
  const [name = ''] = entry.toString('utf16le', 56, ENTRY_BYTES).split('\0');
  return { name, start: first * SECTOR, bytes: (last - first + 1) * SECTOR };
}

/** Flips the lowest bit of the byte at `at`. */
export function flipBit(path: string, at: number): void {
  const file = openSync(path, 'r+');
  try {
    const byte = readAt(file, at, 1);
    writeSync(file, Uint8Array.of(byte[0]! ^ 1), 0, 1, at);
  } finally {
    closeSync(file);
  }
}

function readAt(file: number, at: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  if (readSync(file, buffer, 0, bytes, at) !== bytes) throw new Problem('file-invalid', 'the image ends too early');
  return buffer;
}
