/** An export of which only the files were given, each by its path: what a browser knows of a folder. */
import { Problem } from '../../../protocol/problem.ts';
import { EpochFiles, type Strange } from '../epoch-files.ts';
import type { EpochPlace, ExportSource } from '../export-source.ts';
import { EARLIER, EPOCHS, type EpochFile, MAX_NAMES, OF_THE_EXPORT, parseEpochPath } from '../layout.ts';

export interface GivenFile {
  readonly size: number;
  /** The content; throws when it cannot be read. */
  bytes(): Uint8Array;
}

const BELOW = new RegExp(`^((?:${EARLIER}|${EPOCHS})/[0-9a-f]{32})/(.+)$`);
const MANY = 16 * MAX_NAMES;

/** The export; refuses `log-missing` when no epoch is among the files, `file-invalid` for too many of them. */
export function givenExport(given: ReadonlyMap<string, GivenFile>): ExportSource {
  if (given.size > MANY) throw new Problem('file-invalid', `${given.size} files are more than ${MANY}`);
  const names = new Map<string, string[]>([['', []]]);
  for (const path of given.keys()) {
    const [, at = '', below = path] = BELOW.exec(path) ?? [];
    if (at === '' && OF_THE_EXPORT.has(path.split('/')[0]!)) continue;
    const known = names.get(at);
    if (known) known.push(below);
    else names.set(at, [below]);
  }
  const root = names.get('')!;
  if (!root.includes('checkpoint') && !root.includes('epoch')) names.delete('');
  if (names.size === 0) {
    throw new Problem('log-missing', `none of the ${given.size} files is the checkpoint or the statement of an epoch`);
  }
  const read = (path: string, limit: number): Uint8Array | null => {
    const file = given.get(path);
    if (!file) return null;
    if (file.size > limit) throw new Problem('file-invalid', `${path} has ${file.size} bytes, the limit is ${limit}`);
    return file.bytes();
  };
  const places = [...names].map(([at, below]) => placeOf(at, below, read));
  return { places: places.sort((a, b) => (a.at < b.at ? -1 : 1)), read };
}

function placeOf(at: string, names: readonly string[], read: ExportSource['read']): EpochPlace {
  const files = new Map<string, EpochFile>();
  const strange: Strange[] = [];
  for (const path of names) {
    const file = parseEpochPath(path);
    if (file) files.set(path, file);
    else strange.push({ path, isTrick: false });
  }
  const prefix = at === '' ? '' : `${at}/`;
  const epoch = new EpochFiles(files, strange, (path, limit) => read(prefix + path, limit));
  return { at, open: () => epoch };
}
