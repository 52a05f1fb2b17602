/**
 * Searches the memory of a running process for bytes that must not be there. A search that was not possible says so
 * by null; it never looks like a clean one.
 */
import { type Needle, NeedleIndex } from './needles.ts';
import { type Memory, openProcessMemory, type Region } from './process-memory.ts';

const PIECE = 4_194_304;

/** The names of those needles that are in the memory of process `pid`; null when its memory cannot be read. */
export async function searchMemory(pid: number, needles: readonly Needle[]): Promise<readonly string[] | null> {
  const process = await openProcessMemory(pid);
  if (!process) return null;
  try {
    const index = new NeedleIndex(needles);
    const found = new Set<string>();
    let searched = 0;
    for (const region of process.regions) searched += await searchRegion(process.memory, region, index, found);
    return searched > 0 ? [...found] : null;
  } finally {
    await process.close();
  }
}

/**
 * Adds what is found in `region` to `found`; gives how many bytes were searched. Pieces overlap, so that a needle on
 * their border is found; `pieceBytes` is more than the longest needle.
 */
export async function searchRegion(
  memory: Memory,
  region: Region,
  index: NeedleIndex,
  found: Set<string>,
  pieceBytes: number = PIECE,
): Promise<number> {
  const overlap = index.longest - 1;
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, region.end - region.start));
  let searched = 0;
  for (let at = region.start; at < region.end; ) {
    const length = await readPiece(memory, buffer, at, region.end - at);
    if (length === 0) break;
    index.search(buffer.subarray(0, length), found);
    searched += length;
    if (at + length >= region.end || length <= overlap) break;
    at += length - overlap;
  }
  buffer.fill(0);
  return searched;
}

/** Bytes read; 0 where the region went away meanwhile. */
async function readPiece(memory: Memory, buffer: Buffer, at: number, left: number): Promise<number> {
  try {
    const { bytesRead } = await memory.read(buffer, 0, Math.min(buffer.length, left), at);
    return bytesRead;
  } catch {
    return 0;
  }
}
