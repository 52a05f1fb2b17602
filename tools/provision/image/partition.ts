/** Where the partition GHOSTPIPE is in the image of an appliance: by the partition table, MBR or GPT, and its FAT label. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Problem } from '../../../protocol/problem.ts';
import { CARD_LABEL } from '../../../protocol/site-config.ts';

const SECTOR = 512;
const MIN_BYTES = 2 ** 20;
const MAX_BYTES = 2 ** 29;
/** Most entries of a GPT that are looked at; every tool makes as many. */
const MAX_ENTRIES = 128;
/** Where the volume label stands in the boot sector of FAT12 and FAT16, and of FAT32. */
const LABEL_OFFSETS = [43, 71];

/** Bytes from the start of the file. */
export interface Partition {
  readonly offset: number;
  readonly bytes: number;
}

/** Finds it; refuses `not-an-image` for a file without exactly one, and for one of a size that it cannot have. */
export function cardPartition(path: string): Partition {
  const file = open(path);
  try {
    const { size } = fstatSync(file);
    const read = (offset: number, length: number): Buffer => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
    };
    const found = partitionsOf(read).filter(({ offset }) => isCard(read(offset, SECTOR)));
    if (found.length !== 1) {
      throw new Problem(
        'not-an-image',
        `${path} has ${found.length} partitions with the label ${CARD_LABEL}, expected 1`,
      );
    }
    const [{ offset, bytes }] = found as [Partition];
    if (bytes < MIN_BYTES || bytes > MAX_BYTES || offset + bytes > size) {
      const fact = `its partition ${CARD_LABEL} has ${bytes} bytes from ${offset}, the file ${size}`;
      throw new Problem('not-an-image', `${path}: ${fact}; from ${MIN_BYTES} to ${MAX_BYTES} are possible`);
    }
    return { offset, bytes };
  } finally {
    closeSync(file);
  }
}

function open(path: string): number {
  try {
    const file = openSync(path, 'r');
    if (fstatSync(file).isFile()) return file;
    closeSync(file);
  } catch (thrown) {
    throw new Problem('not-an-image', `${path} cannot be opened (${(thrown as NodeJS.ErrnoException).code})`);
  }
  throw new Problem('not-an-image', `${path} is not a regular file; give an image, not the device with the card`);
}

function partitionsOf(read: (offset: number, length: number) => Buffer): Partition[] {
  const first = read(0, SECTOR);
  if (first.length < SECTOR || first.readUInt16LE(510) !== 0xaa55) return [];
  const entries = [446, 462, 478, 494].map((at) => first.subarray(at, at + 16));
  if (entries.some((entry) => entry[4] === 0xee)) return gptPartitions(read);
  return entries
    .filter((entry) => entry[4] !== 0)
    .map((entry) => ({ offset: entry.readUInt32LE(8) * SECTOR, bytes: entry.readUInt32LE(12) * SECTOR }));
}

/** UEFI specification 2.10, section 5.3. */
function gptPartitions(read: (offset: number, length: number) => Buffer): Partition[] {
  const header = read(SECTOR, SECTOR);
  if (header.length < SECTOR || header.toString('latin1', 0, 8) !== 'EFI PART') return [];
  const entryBytes = header.readUInt32LE(84);
  if (entryBytes < 128 || entryBytes > 4096) return [];
  const count = Math.min(MAX_ENTRIES, header.readUInt32LE(80));
  const table = read(Number(header.readBigUInt64LE(72)) * SECTOR, count * entryBytes);
  return Array.from({ length: Math.floor(table.length / entryBytes) }, (_, i) => table.subarray(i * entryBytes))
    .filter((entry) => entry.subarray(0, 16).some((byte) => byte !== 0))
    .map((entry) => {
      const [from, to] = [Number(entry.readBigUInt64LE(32)), Number(entry.readBigUInt64LE(40))];
      return { offset: from * SECTOR, bytes: (to - from + 1) * SECTOR };
    });
}

function isCard(sector: Buffer): boolean {
  if (sector.length < SECTOR || sector.readUInt16LE(510) !== 0xaa55) return false;
  const label = CARD_LABEL.padEnd(11);
  return LABEL_OFFSETS.some((at) => sector.toString('latin1', at, at + 11) === label);
}
