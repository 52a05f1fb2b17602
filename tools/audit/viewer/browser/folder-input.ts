/** A folder that somebody chose or dropped, as its files by their paths below it. */

/** Files by path, as a worker can be sent them. */
export type ChosenFiles = readonly (readonly [string, File])[];

/** Files that are looked at in one folder. */
const MOST = 4_194_304;

/** The files of a folder picker: their paths begin with the name of the folder. */
export function pickedFiles(list: FileList): ChosenFiles {
  return [...list].map((file) => [file.webkitRelativePath.split('/').slice(1).join('/'), file] as const);
}

/** The files of a dropped folder. What was dropped has to be asked for at once, before anything is waited for. */
export async function droppedFiles({ items }: DataTransfer): Promise<ChosenFiles> {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const folder = entries.length === 1 && entries[0]!.isDirectory ? [...(await inFolder(entries[0]!))] : entries;
  const files: [string, File][] = [];
  for (let entry = folder.pop(); entry && files.length < MOST; entry = folder.pop()) {
    if (entry.isDirectory) folder.push(...(await inFolder(entry)));
    else files.push([below(entry, entries), await fileOf(entry as FileSystemFileEntry)]);
  }
  return files;
}

/** Its path below the one dropped folder, or below where several things lay. */
function below({ fullPath }: FileSystemEntry, dropped: readonly FileSystemEntry[]): string {
  const root = dropped.length === 1 && dropped[0]!.isDirectory ? dropped[0]!.fullPath : '';
  return fullPath.slice(root.length + 1);
}

/** The reader gives some at a time, and none at the end. */
async function inFolder(folder: FileSystemEntry): Promise<FileSystemEntry[]> {
  const reader = (folder as FileSystemDirectoryEntry).createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
