/** Kernel modules: those that a board names, and what they stand on. Debian's signatures stay; the compression goes. */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Problem } from '../protocol/problem.ts';
import type { Tools } from './tools.ts';

const LISTS = ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'];

export class Modules {
  /** The kernel's release, as `uname -r` gives it. */
  readonly release: string;
  readonly #tools: Tools;
  readonly #stock: string;

  /** The modules of the kernel that is unpacked in `stock`. Writes the lists of their dependencies there. */
  constructor(tools: Tools, stock: string) {
    const releases = readdirSync(join(stock, 'usr/lib/modules'));
    if (releases.length !== 1) throw new Problem('file-invalid', `the lock has ${releases.length} kernels, not one`);
    this.release = releases[0]!;
    this.#tools = tools;
    this.#stock = stock;
    tools.run('usr/sbin/depmod', ['-b', stock, this.release]);
  }

  /** Copies the modules `names` and what they need into `root`. What the kernel has built in is passed over. */
  install(names: readonly string[], root: string): void {
    const files = this.#filesOf(names);
    const home = join('usr/lib/modules', this.release);
    for (const file of files) {
      const target = join(root, home, file);
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(join(this.#stock, home, file), target);
    }
    this.#tools.run('usr/bin/xz', ['--decompress', ...files.map((file) => join(root, home, file))]);
    for (const list of LISTS) copyFileSync(join(this.#stock, home, list), join(root, home, list));
    this.#tools.run('usr/sbin/depmod', ['-b', root, this.release]);
  }

  /** Paths below the folder of the modules, sorted. Refuses `image-build-failed` for a name that the kernel lacks. */
  #filesOf(names: readonly string[]): string[] {
    const words = ['-d', this.#stock, '-S', this.release, '--show-depends', '--ignore-install', '--all', ...names];
    const found = this.#tools.run('usr/sbin/modprobe', words);
    const files = [...found.matchAll(/^insmod \S*\/lib\/modules\/[^/]+\/(\S+)/gm)].map(([, file]) => file!);
    return [...new Set(files)].sort();
  }
}
