/** One image from its parts, step by step. While it is made everything is below a name that ends in `.partial`. */
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { BOARDS, type BoardName } from './boards.ts';
import { bootFiles, commandLine } from './boot-files.ts';
import { makeDisk } from './disk.ts';
import { makeInitramfs } from './initramfs.ts';
import { type LockedPackage, readLock } from './lock.ts';
import { Modules } from './modules.ts';
import { cacheFolder, fetchPackages, hashOf, unpack } from './packages.ts';
import type { Progress, Timing } from './progress.ts';
import { makeRoot } from './root.ts';
import { noSpace } from './run.ts';
import { runtimeFiles } from './runtime.ts';
import { openTools } from './tools.ts';
import { packRoot, type Verity } from './verity.ts';

/** What one build needs at most, with the packages unpacked. */
const LEAST_FREE_MIB = 1500;
const MIB = 1 << 20;
/** zstd levels: for a release, and for a test that builds often. */
export const LEVELS = { best: 19, fast: 1 } as const;

export interface BuildPlan {
  readonly board: BoardName;
  readonly version: string;
  /** Seconds since 1970. */
  readonly epoch: number;
  /** zstd level of the root and of the initramfs. */
  readonly level: number;
  /** Where the image and its build folder go. */
  readonly out: string;
  readonly mirror?: string | undefined;
}

/** What is known of a finished image; `build.json` in the build folder. docs/appliance.md explains the fields. */
export interface BuildRecord {
  readonly format: 'ghostpipe/image-build/v1';
  readonly version: string;
  readonly board: BoardName;
  readonly arch: string;
  readonly epoch: number;
  readonly level: number;
  readonly image: { readonly file: string; readonly bytes: number; readonly sha256: string };
  readonly root: string;
  readonly verity: Verity;
  readonly commandLine: string;
  readonly kernel: string;
  readonly packages: readonly LockedPackage[];
  readonly tools: readonly LockedPackage[];
  readonly timings: readonly Timing[];
}

/** The path without its ending of what a build leaves: `.img` and the folder `.build`. */
export function imageName(out: string, version: string, board: BoardName): string {
  return join(out, `ghostpipe-${version}-${board}`);
}

/** Builds the image and gives what is known of it. Refuses with `image-*`; a failed build leaves nothing but `.partial`. */
export async function buildImage(plan: BuildPlan, progress: Progress): Promise<BuildRecord> {
  const name = imageName(plan.out, plan.version, plan.board);
  const folder = `${name}.build.partial`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  requireSpace(folder);
  const record = await makeParts(plan, progress, folder, `${name}.img`);
  writeFileSync(join(folder, 'build.json'), `${JSON.stringify(record, null, 2)}\n`);
  rmSync(`${name}.img`, { force: true });
  rmSync(`${name}.build`, { recursive: true, force: true });
  const image = join(folder, 'disk.img');
  renameSync(image, `${name}.img.partial`);
  renameSync(folder, `${name}.build`);
  renameSync(`${name}.img.partial`, `${name}.img`);
  return record;
}

async function makeParts(plan: BuildPlan, progress: Progress, folder: string, image: string): Promise<BuildRecord> {
  const { board: name, version, epoch, level, mirror } = plan;
  const board = BOARDS[name];
  const lock = readLock(`root-${board.arch}`);
  const stock = join(folder, 'stock');
  const root = join(folder, 'root');
  const initramfs = join(folder, 'initrd.img');
  const tools = await progress.step('tools', () => openTools(epoch, mirror));
  const packages = await progress.step('packages', () => fetchPackages(lock, board.arch, mirror));
  await progress.step('unpack', () => unpackInto(stock, packages));
  const modules = await progress.step('kernel modules', () => new Modules(tools, stock));
  const runtime = await progress.step('software', () => runtimeFiles(board.arch, cacheFolder()));
  const drivers = [...board.rootDrivers, ...board.drivers];
  await progress.step('root', () =>
    makeRoot(tools, stock, root, modules, { board: name, arch: board.arch, drivers, version, epoch, runtime }),
  );
  const verity = await progress.step('squashfs and hashes', () =>
    packRoot(tools, root, join(folder, 'root.img'), level),
  );
  await progress.step('initramfs', () => {
    const parts = { arch: board.arch, drivers: board.rootDrivers, epoch, level };
    makeInitramfs(tools, stock, join(folder, 'initramfs'), modules, parts, initramfs);
  });
  const line = commandLine(board, verity);
  await progress.step('disk', () => {
    const kernel = join(folder, 'vmlinuz');
    copyFileSync(join(stock, 'boot', `vmlinuz-${modules.release}`), kernel);
    writeFileSync(join(folder, 'cmdline'), `${line}\n`);
    const parts = { stock, release: modules.release, kernel: readFileSync(kernel), initramfs: readFileSync(initramfs) };
    makeDisk(tools, folder, board, verity, bootFiles(board, { ...parts, commandLine: line }), epoch);
  });
  const disk = join(folder, 'disk.img');
  const sha256 = await progress.step('hash of the image', () => hashOf(disk));
  removeWork(folder);
  return {
    format: 'ghostpipe/image-build/v1',
    version,
    board: name,
    arch: board.arch,
    epoch,
    level,
    image: { file: image, bytes: statSync(disk).size, sha256 },
    root: 'root',
    verity,
    commandLine: line,
    kernel: modules.release,
    packages: lock,
    tools: tools.packages,
    timings: progress.timings,
  };
}

function unpackInto(stock: string, files: readonly string[]): void {
  mkdirSync(stock);
  unpack(files, stock);
}

/** What nobody needs once the disk is made. */
function removeWork(folder: string): void {
  const names = ['stock', 'initramfs', 'boot', 'genimage', 'boot.vfat', 'card.vfat', 'root.img', 'genimage.cfg'];
  for (const name of names) rmSync(join(folder, name), { recursive: true, force: true });
}

/** Refuses `image-no-space` when the disk of `folder` has less than `least` MiB for this user. */
export function requireSpace(folder: string, least = LEAST_FREE_MIB): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = Math.floor((bavail * bsize) / MIB);
  if (free < least) throw noSpace(`${folder} has ${free} MiB free, a build needs ${least} MiB`);
}
