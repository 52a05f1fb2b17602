/** A guest's memory as a file: how much of it is in use. */
import { closeSync, openSync, readSync } from 'node:fs';

const PAGE = 4096;
const CHUNK = 4 << 20;

/**
 * Mebibytes of pages that hold anything but zeros. The image's kernel empties what is freed (`init_on_free`), so this is
 * what the guest uses at most, its cache of the disk and what the firmware left behind included.
 */
export function usedMebibytes(path: string): number {
  const zeros = Buffer.alloc(PAGE);
  const chunk = Buffer.alloc(CHUNK);
  const file = openSync(path, 'r');
  let used = 0;
  try {
    for (let at = 0, count = CHUNK; count > 0; at += count) {
      count = readSync(file, chunk, 0, CHUNK, at);
      for (let page = 0; page < count; page += PAGE) {
        if (chunk.compare(zeros, 0, PAGE, page, page + PAGE) !== 0) used += PAGE;
      }
    }
  } finally {
    closeSync(file);
  }
  return Math.round(used / 2 ** 20);
}
