/** A folder that somebody chose or dropped, as its files by their paths below it. */

/** Files by path, as a worker can be sent them. */
export type ChosenFiles = readonly (readonly [string, File])[];

/** Files that are looked at in one folder. */
const MOST = 4_194_304;

/** What Chromium knows of a dropped thing; a page that is itself a file can read nothing there but by this. */
interface DroppedItem extends DataTransferItem {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
}

/** Gives what is in a folder, by name. */
type Folder<T> = (folder: T) => Promise<readonly T[]>;

/** The files of a folder picker: their paths begin with the name of the folder. */
export function pickedFiles(list: FileList): ChosenFiles {
  return [...list].map((file) => [file.webkitRelativePath.split('/').slice(1).join('/'), file] as const);
}

/** The files of a dropped folder. What was dropped has to be asked for at once, before anything is waited for. */
export async function droppedFiles({ items }: DataTransfer): Promise<ChosenFiles> {
  const all: DroppedItem[] = [...items];
  if (all[0]?.getAsFileSystemHandle) {
    const handles = await Promise.all(all.map((item) => item.getAsFileSystemHandle!()));
    return filesIn(
      handles.filter((handle) => handle !== null),
      inHandle,
      (handle) => (handle as FileSystemFileHandle).getFile(),
    );
  }
  const entries = all.map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  return filesIn(entries, inEntry, fileOf);
}

/** Files below one dropped folder by their paths there, or what lay beside each other by its names. */
async function filesIn<T extends { readonly name: string }>(
  dropped: readonly T[],
  folder: Folder<T>,
  file: (thing: T) => Promise<File>,
): Promise<ChosenFiles> {
  const inside = dropped.length === 1 && isFolder(dropped[0]!) ? await folder(dropped[0]!) : dropped;
  const left = inside.map((thing) => ({ thing, path: thing.name }));
  const files: [string, File][] = [];
  for (let next = left.pop(); next && files.length < MOST; next = left.pop()) {
    const { thing, path } = next;
    if (!isFolder(thing)) files.push([path, await file(thing)]);
    else left.push(...(await folder(thing)).map((below) => ({ thing: below, path: `${path}/${below.name}` })));
  }
  return files;
}

function isFolder(thing: object): boolean {
  return 'kind' in thing ? thing.kind === 'directory' : (thing as FileSystemEntry).isDirectory;
}

async function inHandle(folder: FileSystemHandle): Promise<FileSystemHandle[]> {
  const all: FileSystemHandle[] = [];
  for await (const handle of (folder as FileSystemDirectoryHandle).values()) all.push(handle);
  return all;
}

/** The reader gives some at a time, and none at the end. */
async function inEntry(folder: FileSystemEntry): Promise<FileSystemEntry[]> {
  const reader = (folder as FileSystemDirectoryEntry).createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

function fileOf(entry: FileSystemEntry): Promise<File> {
  return new Promise((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
}
