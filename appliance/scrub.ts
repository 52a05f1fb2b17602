/**
 * `scrub`: reads the whole root once after boot and then slowly, for ever. dm-verity notices a changed block only when it is
 * read, and then the kernel panics and reboots: that is the alarm. A read error that comes back here is told.
 */
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../protocol/problem.ts';
import { type CommandSpec, EXIT, numberOption, printJson, runCommand } from '../tools/lib/command.ts';
import { DEVICE } from './layout.ts';

const CHUNK = 2 ** 20;

const SPEC: CommandSpec = {
  name: 'ghostpipe-appliance scrub',
  summary: 'read every block of the verified root, so that one that was changed is noticed',
  usage: '[OPTIONS]',
  options: {
    root: { type: 'string', value: 'PATH', help: `device with its verity check (default: ${DEVICE.root})` },
    pause: { type: 'string', value: 'SECONDS', help: 'after each MiB of all rounds but the first (default: 10)' },
    once: { type: 'boolean', help: 'read it once, and end' },
  },
  examples: ['ghostpipe-appliance scrub', 'ghostpipe-appliance scrub --once --json'],
};

export function scrub(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const path = args.text('root') ?? DEVICE.root;
    const pauseMs = (numberOption(args, 'pause', 0, 3600) ?? 10) * 1000;
    for (let round = 0; ; round++) {
      const bytes = await readAll(path, round === 0 ? 0 : pauseMs);
      if (round === 0 && args.flag('json')) printJson({ ok: true, root: path, bytes });
      else if (round === 0) process.stdout.write(`ghostpipe: the root was read once, ${bytes} bytes, all as built\n`);
      if (args.flag('once')) return EXIT.ok;
    }
  });
}

/** Refuses `file-invalid` when a block cannot be read. */
async function readAll(path: string, pauseMs: number): Promise<number> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new Problem('file-invalid', `${path} cannot be opened (${error.code})`);
  });
  const buffer = Buffer.alloc(CHUNK);
  try {
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK, at).catch((error: NodeJS.ErrnoException) => {
        throw new Problem('file-invalid', `${path} cannot be read at byte ${at} (${error.code}): the card is damaged`);
      });
      if (bytesRead === 0) return at;
      at += bytesRead;
      await sleep(pauseMs);
    }
  } finally {
    await file.close();
  }
}
