/**
 * The memory of another process through /proc (proc(5)): which parts of it hold anything, and their bytes.
 *
 * Needs the right to trace that process: the same user, and a kernel that allows it (ptrace(2), Yama).
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';

/** Addresses from `start` to before `end`. */
export interface Region {
  readonly start: number;
  readonly end: number;
}

/** Bytes by address, as `FileHandle.read` gives them. */
export type Memory = Pick<FileHandle, 'read'>;

export interface ProcessMemory {
  readonly memory: Memory;
  /** What is in memory or swapped out; pages that were never touched hold nothing, program text is left out. */
  readonly regions: readonly Region[];
  close(): Promise<void>;
}

/** Kernel pages that show up in every map and cannot be read. */
const KERNEL_PAGES = /\[(vvar|vvar_vclock|vsyscall)\]$/;
/** Pages of a file that are mapped read-only: what nobody wrote to. */
const FILE_TEXT = /^\S+ r-[x-]p .* \//;
/** Type of the page size in the auxiliary vector (getauxval(3)). */
const AT_PAGESZ = 6n;
const PAGEMAP_ENTRY_BYTES = 8;
/** Bits 63 and 62 of an entry (Documentation/admin-guide/mm/pagemap.rst), in its last byte. */
const PRESENT_OR_SWAPPED = 0xc0;

/** Opens the memory of process `pid`; null when that is not allowed, or there is none. */
export async function openProcessMemory(pid: number): Promise<ProcessMemory | null> {
  let memory: FileHandle | undefined;
  let pagemap: FileHandle | undefined;
  try {
    memory = await open(`/proc/${pid}/mem`, 'r');
    pagemap = await open(`/proc/${pid}/pagemap`, 'r');
    const pageBytes = pageSizeOf(await readFile(`/proc/${pid}/auxv`));
    const regions: Region[] = [];
    for (const region of parseMaps(await readFile(`/proc/${pid}/maps`, 'latin1'))) {
      regions.push(...(await backedParts(pagemap, region, pageBytes)));
    }
    const opened = memory;
    return { memory, regions, close: () => opened.close() };
  } catch {
    await memory?.close();
    return null;
  } finally {
    await pagemap?.close();
  }
}

/** The readable regions in the text of /proc/PID/maps. */
export function parseMaps(maps: string): Region[] {
  return maps.split('\n').flatMap((line) => {
    const match = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line);
    if (!match || KERNEL_PAGES.test(line) || FILE_TEXT.test(line)) return [];
    return [{ start: Number.parseInt(match[1]!, 16), end: Number.parseInt(match[2]!, 16) }];
  });
}

/** The parts of `region` whose pages are in memory or swapped out. */
async function backedParts(pagemap: FileHandle, region: Region, pageBytes: number): Promise<Region[]> {
  const entries = Buffer.alloc(((region.end - region.start) / pageBytes) * PAGEMAP_ENTRY_BYTES);
  await pagemap.read(entries, 0, entries.length, (region.start / pageBytes) * PAGEMAP_ENTRY_BYTES);
  const parts: { start: number; end: number }[] = [];
  for (let at = 0; at < entries.length; at += PAGEMAP_ENTRY_BYTES) {
    if ((entries[at + PAGEMAP_ENTRY_BYTES - 1]! & PRESENT_OR_SWAPPED) === 0) continue;
    const start = region.start + (at / PAGEMAP_ENTRY_BYTES) * pageBytes;
    const last = parts.at(-1);
    if (last?.end === start) last.end += pageBytes;
    else parts.push({ start, end: start + pageBytes });
  }
  return parts;
}

function pageSizeOf(auxv: Buffer): number {
  for (let at = 0; at + 16 <= auxv.length; at += 16) {
    if (auxv.readBigUInt64LE(at) === AT_PAGESZ) return Number(auxv.readBigUInt64LE(at + 8));
  }
  throw new Error('the auxiliary vector has no page size');
}
