/** `npm run image:boot`: boots an image with a site of its own until it is ready, and says how long that took. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CONSOLE } from '../../appliance/layout.ts';
import { Problem } from '../../protocol/problem.ts';
import { EXIT, printJson, requiredOption, runCommand } from '../../tools/lib/command.ts';
import { readVersion } from '../../tools/lib/version.ts';
import { imageName } from '../build.ts';
import { ROOT } from '../bundle.ts';
import { findAccelerator } from './accelerator.ts';
import { hashOf } from './drive.ts';
import { Guest } from './guest.ts';
import { usedMebibytes } from './guest-memory.ts';
import { needMachine } from './machine.ts';
import { CARD, siteOnCopy } from './throwaway-site.ts';

const MEMORY_MIB = 1024;
const LIMIT_MS = 600_000;
/** The last words of the firmware: from here on the kernel of the image runs. */
const KERNEL_STARTS = /EFI stub:/;

const SPEC = {
  name: 'npm run image:boot --',
  summary: 'boot an image in QEMU, with a site that exists for this boot, until it is ready',
  usage: '--board vm [--image FILE] [--json]',
  options: {
    board: { type: 'string', value: 'BOARD', help: 'vm' },
    image: { type: 'string', value: 'FILE', help: 'the image (default: that of this version in dist/)' },
  },
  examples: ['npm run image:boot -- --board vm', 'npm run image:boot -- --board vm --json'],
  couldNotRun: ['tool-missing'],
} as const;

interface Figures {
  readonly accelerator: string;
  /** Until the kernel starts, and from there until the relay is ready. */
  readonly firmwareSeconds: number;
  readonly readySeconds: number;
  /** The same kernel with a bare Debian; null: not measured. */
  readonly bareSeconds: null;
  readonly readyRatio: null;
  /** Memory in use when it is ready, at most. */
  readonly memoryMiB: number;
  readonly diskUnchanged: boolean;
}

/** Boots; exit 0 when it got ready and its disk is as it was. */
export function main(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const board = requiredOption(args, 'board');
    if (board !== 'vm') throw new Problem('usage', `--board is "${board}", only vm can be booted here`);
    needMachine();
    const { version } = await readVersion();
    const image = resolve(args.text('image') ?? `${imageName(join(ROOT, 'dist'), version, board)}.img`);
    if (!existsSync(image)) throw new Problem('file-invalid', `${image} does not exist: npm run image -- --board vm`);
    const { name, why } = await findAccelerator(image);
    process.stderr.write(`${why}\n`);
    const folder = mkdtempSync(join(tmpdir(), 'ghostpipe-boot-'));
    try {
      const figures = await boot(image, folder, name);
      const ok = figures.diskUnchanged;
      if (args.flag('json')) printJson({ ok, image, ...figures });
      else for (const [key, value] of Object.entries(figures)) process.stdout.write(`${key.padEnd(16)} ${value}\n`);
      return ok ? EXIT.ok : EXIT.failed;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

async function boot(image: string, folder: string, accelerator: 'kvm' | 'tcg'): Promise<Figures> {
  const path = siteOnCopy(image, folder);
  const before = await hashOf(path);
  const memoryFile = join(folder, 'memory');
  const drive = { path, writable: true };
  const guest = new Guest(
    { accelerator, drive, cards: [CARD], memoryMiB: MEMORY_MIB, memoryFile },
    { limitMs: LIMIT_MS },
  );
  try {
    const kernel = await guest.console.line(KERNEL_STARTS, LIMIT_MS);
    const ready = await guest.console.line(new RegExp(`${CONSOLE.ready}$|${CONSOLE.safe}`), LIMIT_MS);
    if (ready.text.includes(CONSOLE.safe)) throw new Problem('not-ready', ready.text);
    const memoryMiB = usedMebibytes(memoryFile);
    await guest.end();
    return {
      accelerator,
      firmwareSeconds: seconds(kernel.atMs - guest.startedMs),
      readySeconds: seconds(ready.atMs - kernel.atMs),
      bareSeconds: null,
      readyRatio: null,
      memoryMiB,
      diskUnchanged: (await hashOf(path)) === before,
    };
  } finally {
    await guest.end();
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
