/** `npm run image`: builds the image of a board. */
import { join, resolve } from 'node:path';
import { Problem } from '../protocol/problem.ts';
import {
  type Arguments,
  type CommandSpec,
  EXIT,
  integerOption,
  printJson,
  requiredOption,
  runCommand,
} from '../tools/lib/command.ts';
import { readVersion } from '../tools/lib/version.ts';
import { BOARD_NAMES, type BoardName } from './boards.ts';
import { buildImage, LEVELS } from './build.ts';
import { ROOT } from './bundle.ts';
import { lastCommit } from './last-commit.ts';
import { Progress } from './progress.ts';

const MAX_EPOCH = 0xffffffff;

const COMMAND: CommandSpec = {
  name: 'npm run image --',
  summary: 'builds the appliance image of a board from Debian 13 packages, without root',
  usage: '--board BOARD [options]',
  options: {
    board: { type: 'string', value: 'BOARD', help: `one of ${BOARD_NAMES.join(', ')}` },
    out: { type: 'string', value: 'DIR', help: 'where the image goes (default: dist)' },
    mirror: {
      type: 'string',
      value: 'URL',
      help: "the Debian archive to fetch from (default: those of this host's apt)",
    },
    epoch: {
      type: 'string',
      value: 'SECONDS',
      help: 'time of every file, since 1970 (default: that of the last commit)',
    },
    fast: { type: 'boolean', help: 'compress little: for tests, not for a release' },
  },
  examples: ['npm run image -- --board vm', 'npm run image -- --board pi4 --out images --json'],
  couldNotRun: ['tool-missing', 'image-no-space', 'image-package-missing'],
};

process.exitCode = await runCommand(COMMAND, process.argv.slice(2), async (args) => {
  const board = boardOption(args);
  const epoch = integerOption(args, 'epoch', 1, MAX_EPOCH) ?? lastCommit();
  const { version } = await readVersion();
  const say = (line: string): void => void (args.flag('json') ? process.stderr : process.stdout).write(`${line}\n`);
  const progress = new Progress(say, () => performance.now());
  const out = resolve(args.text('out') ?? join(ROOT, 'dist'));
  const level = args.flag('fast') ? LEVELS.fast : LEVELS.best;
  const record = await buildImage({ board, version, epoch, level, out, mirror: args.text('mirror') }, progress);
  const { file, bytes, sha256 } = record.image;
  if (args.flag('json')) printJson({ ok: true, ...record });
  else say(`${file}: ${(bytes / (1 << 20)).toFixed(1)} MiB, SHA-256 ${sha256}`);
  return EXIT.ok;
});

function boardOption(args: Arguments): BoardName {
  const text = requiredOption(args, 'board');
  const board = BOARD_NAMES.find((name) => name === text);
  if (!board) throw new Problem('usage', `--board is "${text}", it must be one of ${BOARD_NAMES.join(', ')}`);
  return board;
}
