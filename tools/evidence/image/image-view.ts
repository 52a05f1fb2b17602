/** What checks see of an image: the disk, what stands on its verified root, and what the kernel is told. Plain data. */

export interface RootEntry {
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  /** The twelve bits of permissions. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Where a link leads. */
  readonly target?: string;
  /** Content of a file that settings stand in; others have none. */
  readonly text?: string;
}

export interface Partition {
  /** Where it begins on the disk, and how long it is, in bytes. */
  readonly offset: number;
  readonly bytes: number;
  /** What its first sectors say that it is. */
  readonly holds: 'fat' | 'squashfs' | 'unknown';
  /** Label of the volume; empty when it has none. */
  readonly label: string;
}

export interface ImageView {
  /** SHA-256 of the image file. */
  readonly sha256: string;
  readonly bytes: number;
  readonly partitions: readonly Partition[];
  /** Words of the kernel command line. */
  readonly cmdline: readonly string[];
  /** Bytes of the disk; refuses `file-invalid` behind its end. */
  readonly read: (offset: number, length: number) => Buffer;
  /** Everything on the root, by its path without a slash in front. */
  readonly root: ReadonlyMap<string, RootEntry>;
}

/** The value of `word=` on the command line; undefined when it is not there, or more than once. */
export function cmdlineValue({ cmdline }: ImageView, word: string): string | undefined {
  const found = cmdline.filter((each) => each.startsWith(`${word}=`));
  return found.length === 1 ? found[0]!.slice(word.length + 1) : undefined;
}

/** The texts of settings whose path matches, in the order of their paths. */
export function textsOf({ root }: ImageView, path: RegExp): [string, string][] {
  return [...root]
    .flatMap(([name, { text }]): [string, string][] => (text !== undefined && path.test(name) ? [[name, text]] : []))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
