/** Where two images differ: the first part, and in it the first file, so that one knows where to look. */
import { diskParts } from './disk-parts.ts';
import { ImageFile } from './image-file.ts';
import { type RootFile, rootFiles } from './root-files.ts';

export interface Difference {
  /** Part of the disk, as `root`. */
  readonly part: string;
  /** First file of the root that is not the same, with a slash at its front; null when it is not a file that differs. */
  readonly file: string | null;
  /** One sentence. */
  readonly detail: string;
}

/** The first difference of two image files; null when every byte is the same. Refuses what is no image. */
export function compareImages(first: string, second: string): Difference | null {
  const images = [new ImageFile(first), new ImageFile(second)] as const;
  try {
    return images[0].sha256() === images[1].sha256() ? null : firstDifference(...images);
  } finally {
    for (const image of images) image.close();
  }
}

function firstDifference(a: ImageFile, b: ImageFile): Difference {
  const others = diskParts(b);
  // The root first: the boot files and the table hold its hash, and so differ with it.
  const parts = diskParts(a).sort((x, y) => Number(y.name === 'root') - Number(x.name === 'root'));
  for (const { name, offset, bytes } of parts) {
    const other = others.find((part) => part.name === name);
    if (name === 'root' && other) {
      const found = differentFile(rootFiles(a, offset), rootFiles(b, other.offset));
      if (found) return { part: name, ...found };
    }
    if (other?.offset !== offset || other.bytes !== bytes) {
      const [one, two] = [`${bytes} bytes at ${offset}`, other ? `${other.bytes} bytes at ${other.offset}` : 'nothing'];
      return { part: name, file: null, detail: `the part ${name} has ${one} in the first image, ${two} in the second` };
    }
    if (a.sha256(offset, bytes) !== b.sha256(offset, bytes)) {
      const at = firstByte(a, b, offset, bytes);
      return { part: name, file: null, detail: `the part ${name} differs from its byte ${at - offset} on` };
    }
  }
  return { part: 'rest', file: null, detail: `the images have ${a.bytes} and ${b.bytes} bytes` };
}

function differentFile(first: readonly RootFile[], second: readonly RootFile[]): Omit<Difference, 'part'> | null {
  const others = new Map(second.map((file) => [file.path, file]));
  for (const file of first) {
    const other = others.get(file.path);
    others.delete(file.path);
    if (JSON.stringify(file) === JSON.stringify(other)) continue;
    const [one, two] = [textOf(file), other ? textOf(other) : 'not there'];
    return { file: `/${file.path}`, detail: `/${file.path} is ${one} in the first image, ${two} in the second` };
  }
  const [more] = others.keys();
  return more === undefined ? null : { file: `/${more}`, detail: `/${more} is in the second image only` };
}

function textOf({ kind, mode, bytes, sha256 }: RootFile): string {
  return `a ${kind}, mode ${mode}, ${bytes} bytes, SHA-256 ${sha256.slice(0, 16)}`;
}

function firstByte(a: ImageFile, b: ImageFile, offset: number, bytes: number): number {
  const pieces = b.pieces(offset, bytes);
  let at = offset;
  for (const piece of a.pieces(offset, bytes)) {
    const other = pieces.next().value as Buffer;
    const found = piece.findIndex((byte, i) => byte !== other[i]);
    if (found >= 0) return at + found;
    at += piece.length;
  }
  return at;
}
