/**
 * Searches the memory of a running process for bytes that must not be there, through /proc/PID/mem (proc(5)).
 *
 * Needs the right to trace that process: the same user, and a kernel that allows it (ptrace(2), Yama). A search that
 * was not possible says so by null; it never looks like a clean one.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';

/** Bytes to look for. Keep them in this process only: a needle that travels is found where it went. */
export interface Needle {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface Region {
  readonly start: number;
  readonly end: number;
}

/** What is searched: reads into a buffer from an address on, as `FileHandle.read` does. */
export type Memory = Pick<FileHandle, 'read'>;

const PIECE = 4_194_304;
/** Kernel pages that show up in every map and cannot be read. */
const KERNEL_PAGES = /\[(vvar|vvar_vclock|vsyscall)\]$/;

/** The names of those needles that are in the memory of process `pid`; null when its memory cannot be read. */
export async function searchMemory(pid: number, needles: readonly Needle[]): Promise<readonly string[] | null> {
  const memory = await openMemory(pid);
  if (!memory) return null;
  try {
    const found = new Set<string>();
    let searched = 0;
    for (const region of parseMaps(await readFile(`/proc/${pid}/maps`, 'latin1'))) {
      searched += await searchRegion(memory, region, needles, found);
    }
    return searched > 0 ? [...found] : null;
  } finally {
    await memory.close();
  }
}

/** How a secret of raw bytes may be written down: raw, hexadecimal, base64 and base64url. */
export function keyNeedles(name: string, key: Uint8Array): Needle[] {
  const bytes = Buffer.from(key);
  const spellings = { raw: bytes, hex: bytes.toString('hex'), base64: bytes.toString('base64').replace(/=+$/, '') };
  const needles = Object.entries(spellings).map(([spelling, value]) => needle(`${name} ${spelling}`, value));
  return [...needles, needle(`${name} base64url`, bytes.toString('base64url'))];
}

/** How a text may stand inside others: plain, hexadecimal, UTF-16, and base64 from each of the three offsets. */
export function textNeedles(name: string, text: string): Needle[] {
  return [
    needle(`${name} plain`, text),
    needle(`${name} hex`, Buffer.from(text).toString('hex')),
    needle(`${name} utf-16`, Buffer.from(text, 'utf16le')),
    ...[0, 1, 2].map((offset) => needle(`${name} base64+${offset}`, base64Inside(Buffer.from(text), offset))),
  ];
}

/** The characters that `bytes` always have in the base64 of a longer text, `offset` bytes behind a multiple of 3. */
function base64Inside(bytes: Buffer, offset: number): string {
  const all = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const whole = Math.floor(((offset + bytes.length) * 8) / 6);
  return all.slice(Math.ceil((offset * 8) / 6), whole);
}

function needle(name: string, value: string | Buffer): Needle {
  return { name, bytes: Buffer.from(value as string) };
}

async function openMemory(pid: number): Promise<FileHandle | null> {
  try {
    return await open(`/proc/${pid}/mem`, 'r');
  } catch {
    return null;
  }
}

/** The readable regions in the text of /proc/PID/maps. */
function parseMaps(maps: string): Region[] {
  return maps.split('\n').flatMap((line) => {
    const match = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line);
    if (!match || KERNEL_PAGES.test(line)) return [];
    return [{ start: Number.parseInt(match[1]!, 16), end: Number.parseInt(match[2]!, 16) }];
  });
}

/**
 * Adds what is found in `region` to `found`; gives how many bytes were searched. Pieces overlap, so that a needle on
 * their border is found; `pieceBytes` is more than the longest needle.
 */
export async function searchRegion(
  memory: Memory,
  region: Region,
  needles: readonly Needle[],
  found: Set<string>,
  pieceBytes: number = PIECE,
): Promise<number> {
  const overlap = Math.max(0, ...needles.map(({ bytes }) => bytes.length - 1));
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, region.end - region.start));
  let searched = 0;
  for (let at = region.start; at < region.end; ) {
    const length = await readPiece(memory, buffer, at, region.end - at);
    if (length === 0) break;
    const piece = buffer.subarray(0, length);
    for (const { name, bytes } of needles) if (!found.has(name) && piece.includes(bytes)) found.add(name);
    searched += length;
    if (at + length >= region.end || length <= overlap) break;
    at += length - overlap;
  }
  buffer.fill(0);
  return searched;
}

/** Bytes read; 0 where the region went away or was never backed. */
async function readPiece(memory: Memory, buffer: Buffer, at: number, left: number): Promise<number> {
  try {
    const { bytesRead } = await memory.read(buffer, 0, Math.min(buffer.length, left), at);
    return bytesRead;
  } catch {
    return 0;
  }
}
