/** Libraries that programs of an image need, taken from the unpacked packages, and no others. */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Problem } from '../protocol/problem.ts';
import { neededLibraries } from './elf.ts';
import type { Architecture } from './lock.ts';

/** Debian's name of the folder of libraries. */
export const TRIPLET: Readonly<Record<Architecture, string>> = {
  amd64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
};

/** The loader that programs name: its path, and where it stands among the libraries. */
const LOADER: Readonly<Record<Architecture, { readonly path: string; readonly name: string }>> = {
  amd64: { path: 'usr/lib64/ld-linux-x86-64.so.2', name: 'ld-linux-x86-64.so.2' },
  arm64: { path: 'usr/lib/ld-linux-aarch64.so.1', name: 'ld-linux-aarch64.so.1' },
};

/**
 * Copies from `stock` to `root` the loader and each library that `programs` (paths in `root`) name, directly or through
 * another, and those in `opened`, which programs open by name while they run. Each is copied under the name that is
 * asked for. Refuses `file-invalid` when one is missing.
 */
export function copyLibraries(
  arch: Architecture,
  stock: string,
  root: string,
  programs: readonly string[],
  opened: readonly string[] = [],
): void {
  const home = `usr/lib/${TRIPLET[arch]}`;
  const places = [home, `${home}/systemd`];
  const loader = LOADER[arch];
  copy(join(stock, home, loader.name), join(root, loader.path));
  const done = new Set([loader.name]);
  const asked = programs.flatMap((path) => namedBy(join(root, path)));
  for (const waiting = [...asked, ...opened]; waiting.length > 0; ) {
    const name = waiting.pop()!;
    if (done.has(name)) continue;
    done.add(name);
    const place = places.find((each) => existsSync(join(stock, each, name)));
    if (!place) throw new Problem('file-invalid', `no locked package has the library ${name}`);
    copy(join(stock, place, name), join(root, place, name));
    waiting.push(...namedBy(join(root, place, name)));
  }
}

function namedBy(file: string): string[] {
  return neededLibraries(readFileSync(file)) ?? [];
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}
