/** `npm run image:verify`: whether an image is the one that was released. */
import { Problem } from '../protocol/problem.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../tools/lib/command.ts';
import { releaseFiles } from './release.ts';
import { verifyImage } from './verify.ts';

const SPEC: CommandSpec = {
  name: 'npm run image:verify --',
  summary: 'check an image against the signed manifest of its release, also after a site was written to it',
  usage: 'FILE [options]',
  maxPositionals: 1,
  options: {
    manifest: { type: 'string', value: 'FILE', help: 'manifest of the release (default: the one beside the image)' },
    'key-hash': { type: 'string', value: 'HASH', help: 'release key that it has to be signed by, SHA-256 in hex' },
  },
  examples: ['npm run image:verify -- ghostpipe-0.1.0-pi4.img --key-hash 3f...'],
  couldNotRun: ['key-missing'],
};

/** Verifies, prints what was found, and gives the exit code: 1 when something does not hold. */
export function main(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const [image] = args.positionals;
    if (image === undefined) throw new Problem('usage', 'the image file is missing');
    const keyHash = args.text('key-hash');
    if (keyHash !== undefined && !/^[0-9a-f]{64}$/.test(keyHash)) {
      throw new Problem('usage', `--key-hash is "${keyHash}", it must be 64 hexadecimal digits`);
    }
    const {
      findings,
      manifest,
      holds,
      keyHash: signer,
    } = verifyImage(releaseFiles(image, args.text('manifest')), keyHash);
    const { version, board, verity } = manifest;
    if (args.flag('json'))
      printJson({ ok: holds, version, board, rootHash: verity.rootHash, keyHash: signer, findings });
    else {
      const width = Math.max(...findings.map(({ what }) => what.length));
      for (const { what, result, detail } of findings) {
        process.stdout.write(`${result.padEnd(7)}  ${what.padEnd(width)}  ${detail}\n`);
      }
      const verdict = holds ? 'VERIFIED' : 'NOT VERIFIED';
      process.stdout.write(`${verdict}: ${image}, Ghost Pipe ${version} for ${board}\n`);
    }
    return holds ? EXIT.ok : EXIT.failed;
  });
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
