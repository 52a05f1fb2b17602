/**
 * The root of the appliance, as a folder: what `keep.ts` names of Debian's packages, the files of `rootfs/`, drivers, and
 * the software itself. No script of a package runs, nothing is mounted, and who builds need not be root.
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DEVICE } from '../appliance/layout.ts';
import type { BoardName } from './boards.ts';
import { ACCOUNTS, DATA, EMPTY, LINKS, OPENED, PROGRAMS, UNITS } from './keep.ts';
import { copyLibraries } from './libraries.ts';
import type { Architecture } from './lock.ts';
import type { Modules } from './modules.ts';
import type { RuntimeFile } from './runtime.ts';
import type { Tools } from './tools.ts';

const OWN_FILES = join(import.meta.dirname, '..', 'rootfs');
const SYSTEM_UNITS = 'usr/lib/systemd/system';

export interface RootPlan {
  readonly board: BoardName;
  readonly arch: Architecture;
  readonly drivers: readonly string[];
  readonly version: string;
  /** Seconds since 1970: the time of every file, and the earliest time that the appliance believes. */
  readonly epoch: number;
  readonly runtime: readonly RuntimeFile[];
}

/** Makes the folder `root` from the packages unpacked in `stock`. */
export function makeRoot(tools: Tools, stock: string, root: string, modules: Modules, plan: RootPlan): void {
  for (const folder of EMPTY) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'etc/machine-id'), ''); // empty: a new one at each boot, in memory
  for (const path of [...PROGRAMS, ...DATA, ...ACCOUNTS, ...UNITS.map((unit) => `${SYSTEM_UNITS}/${unit}`)]) {
    copy(join(stock, path), join(root, path));
  }
  copyWants(stock, root);
  for (const [name, target] of LINKS) link(target, join(root, name));
  if (plan.arch === 'amd64') link('usr/lib64', join(root, 'lib64'));
  cpSync(OWN_FILES, root, { recursive: true });
  for (const { path, source, mode } of plan.runtime) {
    copy(source, join(root, path));
    chmodSync(join(root, path), mode);
  }
  copyLibraries(plan.arch, stock, root, [...PROGRAMS, 'usr/bin/node'], OPENED);
  modules.install(plan.drivers, root);
  writeImageNote(root, plan);
  makeAccounts(tools, root);
  tools.run('usr/bin/systemctl', ['--root', root, 'preset-all', '--preset-mode=enable-only']);
  settle(root, plan.epoch);
}

/** Debian's links by which one unit wants another, where the root has both. */
function copyWants(stock: string, root: string): void {
  const units = join(stock, SYSTEM_UNITS);
  for (const folder of readdirSync(units).filter((name) => name.endsWith('.wants'))) {
    if (!existsSync(join(root, SYSTEM_UNITS, folder.replace(/\.wants$/, '')))) continue;
    for (const unit of readdirSync(join(units, folder)).filter((name) => UNITS.includes(name))) {
      link(`../${unit}`, join(root, SYSTEM_UNITS, folder, unit));
    }
  }
}

/** What the software knows of its image (layout.ts says where). */
function writeImageNote(root: string, { board, version, epoch }: RootPlan): void {
  const note = { board, builtMs: epoch * 1000, v: 1, version };
  writeFileSync(join(root, DEVICE.image), `${JSON.stringify(note)}\n`);
}

/** Users and groups, by the rules of packages and our own; the rules do not stay. */
function makeAccounts(tools: Tools, root: string): void {
  tools.run('usr/bin/systemd-sysusers', ['--root', root]);
  rmSync(join(root, 'usr/lib/sysusers.d'), { recursive: true });
  for (const name of ['passwd', 'group', 'shadow', 'gshadow']) rmSync(join(root, 'etc', `${name}-`), { force: true });
}

/** One mode for each kind of file and one time for all: neither the builder's umask nor the hour shows. */
function settle(root: string, epoch: number): void {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' });
  for (const path of ['', ...paths]) {
    const file = join(root, path);
    const stat = lstatSync(file);
    if (stat.isDirectory()) chmodSync(file, 0o755);
    else if (stat.isFile()) chmodSync(file, modeOf(path, stat.mode));
    lutimesSync(file, epoch, epoch);
  }
}

function modeOf(path: string, mode: number): number {
  if (/^etc\/g?shadow$/.test(path)) return 0o600;
  return mode & 0o100 ? 0o755 : 0o644;
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}
