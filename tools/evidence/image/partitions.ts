/** The partition table of a disk: MBR for a board, GPT for a machine with UEFI, and what each partition holds. */
import { Problem } from '../../../protocol/problem.ts';
import type { Partition } from './image-view.ts';

const SECTOR = 512;
const MAX_GPT_ENTRIES = 128;
const PROTECTIVE = 0xee;

type Read = (offset: number, length: number) => Buffer;
type Span = Pick<Partition, 'offset' | 'bytes'>;

/** The partitions of a disk in the order of the table; refuses `file-invalid` for a disk without one. */
export function readPartitions(read: Read): Partition[] {
  const first = read(0, SECTOR);
  if (first.readUInt16LE(510) !== 0xaa55) throw new Problem('file-invalid', 'the image has no partition table');
  const entries = [0, 1, 2, 3].map((i) => first.subarray(446 + 16 * i, 462 + 16 * i));
  const isGpt = entries.some((entry) => entry[4] === PROTECTIVE);
  const spans = isGpt ? gptSpans(read) : entries.filter((entry) => entry[4] !== 0).map(mbrSpan);
  return spans.map((span) => ({ ...span, ...contentOf(read(span.offset, SECTOR)) }));
}

function mbrSpan(entry: Buffer): Span {
  return { offset: entry.readUInt32LE(8) * SECTOR, bytes: entry.readUInt32LE(12) * SECTOR };
}

function gptSpans(read: Read): Span[] {
  const header = read(SECTOR, SECTOR);
  if (header.toString('latin1', 0, 8) !== 'EFI PART')
    throw new Problem('file-invalid', 'the GPT of the image is broken');
  const [table, count, size] = [Number(header.readBigUInt64LE(72)), header.readUInt32LE(80), header.readUInt32LE(84)];
  if (count > MAX_GPT_ENTRIES || size !== 128) {
    throw new Problem('file-invalid', `a GPT of ${count} entries of ${size} bytes is not one of ours`);
  }
  const entries = read(table * SECTOR, count * size);
  const used = Array.from({ length: count }, (_, i) => entries.subarray(i * size, (i + 1) * size));
  return used
    .filter((entry) => entry.subarray(0, 16).some((byte) => byte !== 0))
    .map((entry) => {
      const [start, end] = [Number(entry.readBigUInt64LE(32)), Number(entry.readBigUInt64LE(40))];
      return { offset: start * SECTOR, bytes: (end - start + 1) * SECTOR };
    });
}

function contentOf(sector: Buffer): Pick<Partition, 'holds' | 'label'> {
  if (sector.toString('latin1', 0, 4) === 'hsqs') return { holds: 'squashfs', label: '' };
  // FAT32 has its label at 71 and says so at 82; FAT12 and FAT16 at 43 and 54.
  for (const [label, name] of [
    [71, 82],
    [43, 54],
  ] as const) {
    if (sector.toString('latin1', name, name + 3) === 'FAT')
      return { holds: 'fat', label: sector.toString('latin1', label, label + 11).trimEnd() };
  }
  return { holds: 'unknown', label: '' };
}
