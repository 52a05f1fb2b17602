/** `npm run image:reproduce`: whether the same sources give the same image again. */
import { join } from 'node:path';
import { Problem } from '../protocol/problem.ts';
import { type CommandSpec, EXIT, printJson, requiredOption, runCommand } from '../tools/lib/command.ts';
import { ROOT } from './bundle.ts';
import { lastCommit } from './last-commit.ts';
import { cacheFolder } from './packages.ts';
import { AS_NOBODY, reproduce } from './reproduce.ts';

const SPEC: CommandSpec = {
  name: 'npm run image:reproduce --',
  summary: 'build an image twice, the second time without rights in another folder, and compare every byte',
  usage: '--board BOARD [options]',
  options: {
    board: { type: 'string', value: 'BOARD', help: 'as for npm run image' },
    epoch: {
      type: 'string',
      value: 'SECONDS',
      help: 'time of every file, since 1970 (default: that of the last commit)',
    },
    mirror: { type: 'string', value: 'URL', help: 'as for npm run image' },
    fast: { type: 'boolean', help: 'compress little' },
  },
  examples: ['npm run image:reproduce -- --board vm --json'],
  couldNotRun: ['tool-missing', 'image-no-space', 'image-package-missing', 'image-build-failed'],
};

/** Builds, compares, prints; gives the exit code: 1 when the images differ. */
export function main(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const isJson = args.flag('json');
    // Told to both builds: git answers only the owner of the sources.
    const epoch = args.text('epoch') ?? String(lastCommit());
    const words = ['--board', requiredOption(args, 'board'), '--epoch', epoch];
    const mirror = args.text('mirror');
    if (mirror !== undefined) words.push('--mirror', mirror);
    if (args.flag('fast')) words.push('--fast');
    const isRoot = process.getuid?.() === 0;
    const { sha256, difference } = reproduce({
      builder: [process.execPath, join(ROOT, 'image-build', 'main.ts'), ...words],
      cache: cacheFolder(),
      fetched: ['debs', 'node-linux-*'],
      asOther: isRoot ? AS_NOBODY : [],
      say: (line) => void process.stderr.write(`${line}\n`),
    });
    if (isJson) printJson({ ok: difference === null, sha256, difference, otherUser: isRoot });
    else if (difference === null) process.stdout.write(`REPRODUCED: both images have SHA-256 ${sha256[0]}\n`);
    if (difference !== null) throw new Problem('image-not-reproduced', difference.detail);
    return EXIT.ok;
  });
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
