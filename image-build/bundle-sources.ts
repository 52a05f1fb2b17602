/**
 * How a source file becomes part of the bundle: the places that it knows by its own path are told from the bundle's
 * folder instead, and the programs that it starts by their names are those of the bundle.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { Plugin } from 'esbuild';

interface StartedProgram {
  /** The source that names it, and the words that do. */
  readonly named: string;
  readonly words: string;
  /** What it is made of, and its name in the bundle. */
  readonly entry: string;
  readonly file: string;
  /** How the bundle says where it is: as a URL, or as a path. */
  readonly as: 'url' | 'path';
}

/** The program itself, made of multi-call.ts. */
export const PROGRAM = 'ghostpipe.cjs';

/** Programs that a source starts as a thread or a process of its own. */
export const STARTED: readonly StartedProgram[] = [
  {
    named: 'relay/log/signer-thread.ts',
    words: "new URL('./signer-work.ts', import.meta.url)",
    entry: 'relay/log/signer-work.ts',
    file: 'signer-work.cjs',
    as: 'url',
  },
  {
    named: 'tools/ghostpipe/demo-run.ts',
    words: "new URL('./demo-sender.ts', import.meta.url)",
    entry: 'tools/ghostpipe/demo-sender.ts',
    file: 'demo-sender.cjs',
    as: 'url',
  },
  {
    named: 'tools/lib/tool-process.ts',
    words: "join(import.meta.dirname, '..', 'ghostpipe', 'main.ts')",
    entry: 'image-build/multi-call.ts',
    file: PROGRAM,
    as: 'path',
  },
];

/** The plugin for the sources of the project in `root`; packages stay as they are. */
export function bundledSources(root: string): Plugin {
  return {
    name: 'bundled-sources',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const source = relative(root, path).split(sep).join('/');
        if (source.startsWith('node_modules/')) return null;
        return { contents: toldFromBundle(source, readFileSync(path, 'utf8')), loader: 'ts' };
      });
    },
  };
}

/** The text of `source` (a path from the project's folder) for the bundle. Throws for a program that is not where it was. */
export function toldFromBundle(source: string, text: string): string {
  let told = text;
  for (const { named, words, file, as } of STARTED.filter((program) => program.named === source)) {
    if (!told.includes(words)) throw new Error(`${named} does not hold ${words}: mend STARTED in bundle-sources.ts`);
    const path = `require('node:path').join(__dirname, ${JSON.stringify(file)})`;
    told = told.replace(words, as === 'url' ? urlOf(path) : path);
  }
  // A file that is read beside a source lies in the bundle at the same place below its folder.
  const folder = `require('node:path').join(__dirname, ${JSON.stringify(dirname(source))})`;
  return told
    .replaceAll('import.meta.main', 'false')
    .replaceAll('import.meta.dirname', folder)
    .replaceAll(
      'import.meta.url',
      `${urlOf(`require('node:path').join(__dirname, ${JSON.stringify(join(source))})`)}.href`,
    );
}

function urlOf(path: string): string {
  return `require('node:url').pathToFileURL(${path})`;
}
