/**
 * Reads the folder of one epoch, which anybody may have written: only names of the layout are opened, no link is
 * followed, every file is bounded by what it can be. What is read proves nothing by itself.
 */
import { type Dirent, lstatSync, mkdirSync, opendirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Problem } from '../../protocol/problem.ts';
import { tilePath } from '../../protocol/tile.ts';
import { readPlainFile } from '../lib/files.ts';
import { EpochFiles, type Strange } from './epoch-files.ts';
import {
  type EpochFile,
  epochPath,
  isEpochSubfolder,
  JOURNAL,
  MAX_NAMES,
  OF_THE_EXPORT,
  parseEpochPath,
} from './layout.ts';
import type { Sealer, Unseal } from './unseal.ts';

export class EpochFolder extends EpochFiles {
  readonly path: string;

  /** Looks through the names; `unseal` opens what is sealed. Refuses `file-invalid` for what is no folder, and for too many names. */
  constructor(path: string, unseal?: Unseal) {
    requireFolder(path);
    const { files, strange, hasJournal } = namesBelow(path);
    const read = (below: string, limit: number) => readPlainFile(join(path, below), limit);
    super(files, strange, read, { hasJournal, ...(unseal && { unseal }) });
    this.path = path;
  }
}

/**
 * Copies the files of an epoch, each bounded, and nothing else that is in its folder. With a sealer no record comes out in clear: bundles
 * are sealed, and proofs with a record in them stay behind.
 */
export function copyEpoch(from: string, to: string, sealer: Sealer | null = null): void {
  const folder = new EpochFolder(from);
  for (const [path, file] of folder.files) {
    if (sealer && file.kind === 'proof') continue;
    const isSealed = sealer && file.kind === 'tile' && file.tile.level === 'entries';
    const target = join(to, isSealed ? epochPath({ kind: 'sealed', tile: file.tile }) : path);
    mkdirSync(dirname(target), { recursive: true });
    const bytes = folder.read(file)!;
    writeFileSync(target, isSealed ? sealer.seal(path, bytes) : bytes);
  }
}

/** Copies an epoch with its records in clear. Refuses what `unseal` refuses. */
export function copyOpened(from: string, to: string, unseal: Unseal): void {
  const folder = new EpochFolder(from, unseal);
  for (const [path, file] of folder.files) {
    if (file.kind === 'cosignature') continue;
    const target = join(to, file.kind === 'sealed' ? tilePath(file.tile) : path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, folder.read(file.kind === 'sealed' ? { kind: 'tile', tile: file.tile } : file)!);
  }
}

/** Refuses `file-invalid` unless `path` is a folder and no link to one. */
export function requireFolder(path: string): void {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Problem('file-invalid', `${path} is not a folder`);
  }
}

/** The names in a folder, one by one: who made it may have made millions. */
export function* entriesOf(path: string): Generator<Dirent> {
  const folder = opendirSync(path);
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) yield entry;
  } finally {
    folder.closeSync();
  }
}

interface Names {
  readonly files: ReadonlyMap<string, EpochFile>;
  readonly strange: readonly Strange[];
  readonly hasJournal: boolean;
}

function namesBelow(path: string): Names {
  const files = new Map<string, EpochFile>();
  const strange: Strange[] = [];
  let names = 0;
  let hasJournal = false;
  const look = (folder: string): void => {
    for (const entry of entriesOf(join(path, folder))) {
      names += 1;
      if (names > MAX_NAMES) throw new Problem('file-invalid', `${path} holds more than ${MAX_NAMES} names`);
      const below = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (folder === '' && OF_THE_EXPORT.has(entry.name)) {
        hasJournal ||= entry.name === JOURNAL && entry.isDirectory();
        continue;
      }
      const file = parseEpochPath(below);
      if (entry.isDirectory() && isEpochSubfolder(below)) look(below);
      else if (entry.isFile() && file) files.set(below, file);
      else strange.push({ path: below, isTrick: !entry.isFile() || isEpochSubfolder(below) });
    }
  };
  look('');
  return { files, strange, hasJournal };
}
