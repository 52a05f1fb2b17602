/** The image that the tests of one run share: built by the first of them, at the fast level. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageName } from '../../../image-build/build.ts';
import { partitionsOf } from '../../../image-build/qemu/drive.ts';
import { openTools, type Tools } from '../../../image-build/tools.ts';
import { readVersion } from '../../../tools/lib/version.ts';

export const PROJECT: string = join(import.meta.dirname, '..', '..', '..');
const OUT = join(PROJECT, 'dist', 'test-image');
/** Says for which run the image was built: the process that starts every test file of a run. */
const STAMP = join(OUT, 'run');
const BUILD_MS = 9 * 60_000;
/** Any time does for tools that only read. */
const EPOCH = 1;

export interface TestImage {
  readonly path: string;
  readonly version: string;
}

/** The image of the VM; throws with the last words of its build when that fails. */
export async function testImage(): Promise<TestImage> {
  const { version } = await readVersion();
  const path = `${imageName(OUT, version, 'vm')}.img`;
  const run = String(process.ppid);
  if (!existsSync(path) || !existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== run) {
    const words = [join(PROJECT, 'image-build', 'main.ts'), '--board', 'vm', '--fast', '--out', OUT];
    const { status, stderr } = spawnSync(process.execPath, words, { timeout: BUILD_MS, encoding: 'utf8' });
    if (status !== 0) throw new Error(`the image cannot be built (exit ${status}): ${stderr.slice(-2000)}`);
    writeFileSync(STAMP, run);
  }
  return { path, version };
}

/** Debian 13's programs, as the build uses them. */
export function imageTools(): Tools {
  return openTools(EPOCH);
}

/** Unpacks the root partition of an image into a folder, which must not exist. */
export function unpackRoot(image: string, folder: string): void {
  const [, root] = partitionsOf(image);
  const words = ['-quiet', '-no-progress', '-offset', `${root!.start}`, '-dest', folder, image];
  imageTools().run('usr/bin/unsquashfs', words);
}
