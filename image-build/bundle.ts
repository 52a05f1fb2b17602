/**
 * The bundle: the whole software with every package it uses, in a folder that needs nothing but Node. The same sources
 * and packages give the same bytes, wherever the project lies.
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import { bundledSources, PROGRAM, STARTED } from './bundle-sources.ts';
import { type BundledPackage, bundledPackages, licenceTexts } from './third-party.ts';

export const ROOT: string = dirname(import.meta.dirname);
/** Where `npm run bundle` writes. */
export const BUNDLE: string = join(ROOT, 'dist', 'bundle');

/** Files that a tool reads beside its source. */
const DATA = ['tools/audit/viewer/page.html'];

export interface Bundle {
  readonly folder: string;
  /** Paths below the folder, sorted. */
  readonly files: readonly string[];
  readonly packages: readonly BundledPackage[];
}

/** Writes the bundle to `folder`, in place of what was there. Throws for what cannot be bundled; nothing half is left. */
export async function writeBundle(folder: string = BUNDLE): Promise<Bundle> {
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}-`);
  try {
    const metafile = await bundlePrograms(work);
    const packages = bundledPackages(ROOT, metafile);
    for (const path of DATA) copyInto(work, path);
    writeFileSync(join(work, 'package.json'), ownPackage());
    writeFileSync(join(work, 'THIRD-PARTY.txt'), licenceTexts(ROOT, packages));
    chmodSync(work, 0o755); // mkdtemp makes it private
    rmSync(folder, { recursive: true, force: true });
    renameSync(work, folder);
    const programs = Object.keys(entries()).map((name) => `${name}.cjs`);
    return { folder, files: [...programs, ...DATA, 'THIRD-PARTY.txt', 'package.json'].sort(), packages };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function bundlePrograms(folder: string): Promise<Metafile> {
  const { metafile, warnings } = await build({
    absWorkingDir: ROOT,
    entryPoints: entries(),
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs', // fastify does not work as one ES module
    external: ['../evidence/main.ts'],
    plugins: [bundledSources(ROOT)],
    legalComments: 'none', // THIRD-PARTY.txt has them whole
    metafile: true,
    logLevel: 'silent',
  });
  const [first] = warnings;
  if (first) throw new Error(`${first.location?.file}:${first.location?.line}: ${first.text}`);
  return metafile;
}

/** What each program of the bundle is made of, by its name without the ending. */
function entries(): Record<string, string> {
  return Object.fromEntries(STARTED.map(({ file, entry }) => [file.replace(/\.cjs$/, ''), join(ROOT, entry)]));
}

/** What the software says of itself: its name, its version, the Node it needs. */
function ownPackage(): string {
  const { name, version, license, engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return `${JSON.stringify({ name, version, license, private: true, engines, main: PROGRAM }, null, 2)}\n`;
}

function copyInto(folder: string, path: string): void {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(ROOT, path), target);
}
