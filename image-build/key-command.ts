/** `npm run image:key`: makes a release key. */
import { type CommandSpec, EXIT, printJson, requiredOption, runCommand } from '../tools/lib/command.ts';
import { makeReleaseKey, releaseKeyHash } from './release-key.ts';

const SPEC: CommandSpec = {
  name: 'npm run image:key --',
  summary: 'make the key that signs releases: a seed file, mode 600, to be kept off line',
  usage: '--out FILE [--json]',
  options: { out: { type: 'string', value: 'FILE', help: 'seed file to make; nothing is written over' } },
  examples: ['npm run image:key -- --out release.seed'],
};

/** Makes the key and prints its hash; gives the exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const file = requiredOption(args, 'out');
    const keyHash = releaseKeyHash(makeReleaseKey(file).publicKeys);
    if (args.flag('json')) printJson({ ok: true, file, keyHash });
    else process.stdout.write(`${file}: whoever has it can sign releases\nrelease key ${keyHash}\n`);
    return EXIT.ok;
  });
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
