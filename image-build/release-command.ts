/** `npm run image:release`: the signed files of a release beside an image that was built. */
import { Problem } from '../protocol/problem.ts';
import { type CommandSpec, EXIT, printJson, requiredOption, runCommand } from '../tools/lib/command.ts';
import { BUNDLE, writeBundle } from './bundle.ts';
import { releaseFiles, writeRelease } from './release.ts';
import { readReleaseKey, releaseKeyHash } from './release-key.ts';

const SPEC: CommandSpec = {
  name: 'npm run image:release --',
  summary: 'write what is released with an image: compressed image, parts list, packages, signed manifest',
  usage: 'FILE --key KEY [--json]',
  maxPositionals: 1,
  options: {
    key: { type: 'string', value: 'KEY', help: 'seed file of the release key (npm run image:key makes one)' },
  },
  examples: ['npm run image:release -- dist/ghostpipe-0.1.0-pi4.img --key release.seed'],
};

/** Writes the release; gives the exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const [image] = args.positionals;
    if (image === undefined) throw new Problem('usage', 'the image file is missing');
    const key = readReleaseKey(requiredOption(args, 'key'));
    const files = releaseFiles(image);
    const manifest = await writeRelease(files, await writeBundle(BUNDLE), key);
    const keyHash = releaseKeyHash(key.publicKeys);
    if (args.flag('json')) {
      const { image, compressed, verity } = manifest;
      printJson({ ok: true, manifest: files.manifest, keyHash, image, compressed, rootHash: verity.rootHash });
    } else {
      const mebibytes = (manifest.compressed.bytes / 2 ** 20).toFixed(1);
      process.stdout.write(
        `${files.manifest}: ${manifest.files.length} files of the root, compressed ${mebibytes} MiB\n`,
      );
      process.stdout.write(`signed by the release key ${keyHash}\n`);
    }
    return EXIT.ok;
  });
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
