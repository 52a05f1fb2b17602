/** Of ELF programs, what the loader would look for: the libraries that they name. Any 64-bit little-endian machine. */

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const SEGMENT_BYTES = 56;
const ENTRY_BYTES = 16;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** The libraries that an ELF file names, in its order; null for what is no 64-bit ELF file. Throws for a broken one. */
export function neededLibraries(file: Buffer): string[] | null {
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) return null;
  const segments = segmentsOf(file);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (!dynamic) return [];
  const entries = Array.from({ length: Math.floor(dynamic.size / ENTRY_BYTES) }, (_, index) => {
    const at = dynamic.offset + index * ENTRY_BYTES;
    return { tag: file.readBigInt64LE(at), value: Number(file.readBigUInt64LE(at + 8)) };
  });
  const table = entries.find(({ tag }) => tag === DT_STRTAB);
  if (!table) return [];
  const strings = offsetOf(table.value, segments);
  return entries.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => textAt(file, strings + value));
}

function segmentsOf(file: Buffer): Segment[] {
  const first = Number(file.readBigUInt64LE(32));
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = first + index * SEGMENT_BYTES;
    return {
      type: file.readUInt32LE(at),
      offset: Number(file.readBigUInt64LE(at + 8)),
      address: Number(file.readBigUInt64LE(at + 16)),
      size: Number(file.readBigUInt64LE(at + 32)),
    };
  });
}

/** Where in the file stands what will be at `address` in memory. */
function offsetOf(address: number, segments: readonly Segment[]): number {
  const segment = segments.find(
    (each) => each.type === PT_LOAD && address >= each.address && address < each.address + each.size,
  );
  if (!segment) throw new RangeError(`no segment holds the address ${address}`);
  return address - segment.address + segment.offset;
}

function textAt(file: Buffer, at: number): string {
  return file.toString('latin1', at, file.indexOf(0, at));
}
