/** `npm run bundle`: writes the bundle and says what is in it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, printJson, runCommand } from '../tools/lib/command.ts';
import { BUNDLE, writeBundle } from './bundle.ts';

const SPEC = {
  name: 'npm run bundle --',
  summary: 'write the software with all its packages to one folder that needs Node alone',
  usage: '[--out DIR] [--json]',
  options: { out: { type: 'string', value: 'DIR', help: 'folder to replace (default: dist/bundle)' } },
  examples: ['npm run bundle', 'node dist/bundle/ghostpipe.cjs relay --help'],
} as const;

/** Writes the bundle; gives the exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const { folder, files, packages } = await writeBundle(args.text('out') ?? BUNDLE);
    const digests = files.map((path) => {
      const bytes = readFileSync(join(folder, path));
      return { path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    });
    if (args.flag('json')) printJson({ ok: true, folder, files: digests, packages: packages.length });
    else {
      for (const { path, bytes, sha256 } of digests) process.stdout.write(`${sha256}  ${path} (${bytes} bytes)\n`);
      process.stdout.write(`${folder}: ${packages.length} packages are in it\n`);
    }
    return EXIT.ok;
  });
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
