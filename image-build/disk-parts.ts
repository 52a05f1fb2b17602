/**
 * The parts of a disk image, from its first byte to its last: the partition table, each partition, and what lies
 * between and behind them. Reads MBR and GPT; nothing else is trusted than that every byte is in one part.
 */
import { Problem } from '../protocol/problem.ts';
import type { ImageFile } from './image-file.ts';

export interface DiskPart {
  /** `table`, `boot`, `root`, `card`, or `rest-N` for bytes that no partition has. */
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

/** The partitions of every board, in their order on the disk. */
const PARTITIONS = ['boot', 'root', 'card'] as const;
const SECTOR = 512;
const GPT_TYPE = 0xee;

interface Extent {
  readonly first: number;
  readonly sectors: number;
}

/** All parts, in the order of the disk, without a hole. Refuses `image-invalid` for what is no image of the appliance. */
export function diskParts(image: ImageFile): DiskPart[] {
  const extents = partitions(image);
  if (extents.length !== PARTITIONS.length) {
    throw noImage(image, `it has ${extents.length} partitions, an image has ${PARTITIONS.length}`);
  }
  const parts: DiskPart[] = [];
  let at = 0;
  const rest = (until: number): void => {
    if (until > at) parts.push({ name: at === 0 ? 'table' : `rest-${parts.length}`, offset: at, bytes: until - at });
  };
  for (const [i, { first, sectors }] of extents.entries()) {
    const [offset, bytes] = [first * SECTOR, sectors * SECTOR];
    if (offset < Math.max(at, SECTOR))
      throw noImage(image, `its partition ${i + 1} begins inside of what is before it`);
    if (offset + bytes > image.bytes) {
      throw noImage(
        image,
        `its partition ${i + 1} ends at byte ${offset + bytes}, the file at ${image.bytes}: not written whole`,
      );
    }
    rest(offset);
    parts.push({ name: PARTITIONS[i]!, offset, bytes });
    at = offset + bytes;
  }
  rest(image.bytes);
  return parts;
}

function partitions(image: ImageFile): Extent[] {
  if (image.bytes < 2 * SECTOR) throw noImage(image, `it has ${image.bytes} bytes`);
  const mbr = image.read(0, SECTOR);
  if (mbr.readUInt16LE(510) !== 0xaa55) throw noImage(image, 'it does not begin with a partition table');
  const entries = [0, 1, 2, 3].map((i) => mbr.subarray(446 + 16 * i, 462 + 16 * i));
  if (entries[0]![4] === GPT_TYPE) return gptPartitions(image);
  return entries
    .filter((entry) => entry[4] !== 0)
    .map((entry) => ({ first: entry.readUInt32LE(8), sectors: entry.readUInt32LE(12) }));
}

function gptPartitions(image: ImageFile): Extent[] {
  const header = image.read(SECTOR, SECTOR);
  const count = header.readUInt32LE(80);
  const size = header.readUInt32LE(84);
  if (header.toString('latin1', 0, 8) !== 'EFI PART' || count > 128 || size !== 128) {
    throw noImage(image, 'its table of partitions (GPT) does not parse');
  }
  const table = image.read(Number(header.readBigUInt64LE(72)) * SECTOR, count * size);
  return Array.from({ length: count }, (_, i) => table.subarray(i * size, (i + 1) * size))
    .filter((entry) => entry.subarray(0, 16).some((byte) => byte !== 0))
    .map((entry) => {
      const [first, last] = [Number(entry.readBigUInt64LE(32)), Number(entry.readBigUInt64LE(40))];
      return { first, sectors: last - first + 1 };
    });
}

function noImage({ path }: ImageFile, why: string): Problem {
  return new Problem('image-invalid', `${path} is no image of the appliance: ${why}`);
}
