/**
 * What stands on the root of an image, by unsquashfs, without root rights: names, owners and modes from the filesystem's own
 * list, and the contents of settings.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem } from '../../../protocol/problem.ts';
import { dropAtEnd, dropNow } from '../scene/leftovers.ts';
import type { RootEntry } from './image-view.ts';

/** Where settings stand. */
const SETTINGS = ['etc', 'usr/lib/systemd', 'usr/lib/sysctl.d', 'usr/lib/modprobe.d', 'usr/lib/ghostpipe'];
const SETTING_LIMIT = 65_536;
const LIST_LIMIT = 67_108_864;
const PATIENCE_MS = 60_000;
const LINE = /^([-dlcbps])([-rwxsStT]{9}) (\d+)\/(\d+) +(\d+|\d+, *\d+) \S+ \S+ root(?:\/(.*))?$/;
const KINDS: Readonly<Record<string, RootEntry['kind']>> = { '-': 'file', d: 'folder', l: 'link' };

/** Reads the squashfs that begins at `offset`; refuses `tool-missing` without unsquashfs, `file-invalid` for a broken one. */
export function readSquashfs(file: string, offset: number): Map<string, RootEntry> {
  const folder = mkdtempSync(join(tmpdir(), 'ghostpipe-root-'));
  dropAtEnd(folder);
  try {
    const into = join(folder, 'root');
    const list = unsquashfs(['-lln', '-d', 'root', '-o', String(offset), file]);
    // Owners, devices and attributes of what is unpacked do not matter: the list has them.
    rmSync(into, { recursive: true, force: true });
    unsquashfs(['-n', '-no-xattrs', '-q', '-d', into, '-o', String(offset), file, ...SETTINGS], true);
    const lines = list.split('\n').filter((line) => / root(\/|$)/.test(line));
    return new Map(lines.flatMap((line) => entryOf(line, into)));
  } finally {
    dropNow(folder);
  }
}

function entryOf(line: string, into: string): [string, RootEntry][] {
  const [, type, bits, uid, gid, bytes, path] = LINE.exec(line) ?? [];
  if (bits === undefined) throw new Problem('file-invalid', `unsquashfs lists what is not understood: ${line}`);
  if (!path) return [];
  const kind = KINDS[type!] ?? 'other';
  const owner = { kind, mode: modeOf(bits), uid: Number(uid), gid: Number(gid) };
  if (kind === 'link') {
    const [name, target] = path.split(' -> ');
    return [[name!, { ...owner, target: target! }]];
  }
  const isSetting = SETTINGS.some((folder) => path.startsWith(`${folder}/`));
  if (kind !== 'file' || !isSetting || Number(bytes) > SETTING_LIMIT) return [[path, owner]];
  return [[path, { ...owner, text: readFileSync(join(into, path), 'utf8') }]];
}

/** `rwxr-sr-t` as a number. */
function modeOf(bits: string): number {
  const special = [/^..[sS]/, /^.{5}[sS]/, /^.{8}[tT]/].map((form) => (form.test(bits) ? 1 : 0));
  const plain = [...bits].map((bit) => (bit === '-' || bit === 'S' || bit === 'T' ? 0 : 1));
  return Number.parseInt([...special, ...plain].join(''), 2);
}

/** Runs unsquashfs; with `isLenient` what it could not do counts only when it did nothing, as devices without root rights. */
function unsquashfs(words: readonly string[], isLenient = false): string {
  const { error, status, stdout, stderr } = spawnSync('unsquashfs', words, {
    encoding: 'utf8',
    maxBuffer: LIST_LIMIT,
    timeout: PATIENCE_MS,
  });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    throw new Problem('tool-missing', 'unsquashfs is not installed (Debian package squashfs-tools)');
  }
  if (status === 0 || (isLenient && status === 2)) return stdout;
  throw new Problem('file-invalid', `unsquashfs ended with ${status}: ${stderr.slice(0, 300)}`);
}
