/** Ways to spoil an image, each giving a changed copy of what was read of it. What is not there cannot be spoilt. */
import type { ImageView, RootEntry } from './image-view.ts';

export type ImageSabotage = (image: ImageView) => ImageView;

/** A file more, or another one in its place. */
export function withFile(path: string, text = '', mode = 0o644): ImageSabotage {
  return withEntry(path, { kind: 'file', mode, uid: 0, gid: 0, text });
}

/** An entry more. */
export function withEntry(path: string, entry: RootEntry): ImageSabotage {
  return (image) => ({ ...image, root: new Map([...image.root, [path, entry]]) });
}

/** A text of the settings is another one, in every file whose path matches and that holds it. */
export function changed(path: RegExp, find: string | RegExp, replace: string): ImageSabotage {
  return (image) => {
    let count = 0;
    const root = new Map(
      [...image.root].map(([name, entry]) => {
        const text = path.test(name) ? entry.text?.replace(find, replace) : entry.text;
        if (text === undefined || text === entry.text) return [name, entry] as const;
        count += 1;
        return [name, { ...entry, text }] as const;
      }),
    );
    if (count === 0) throw new Error(`no file ${path} holds what is to be sabotaged`);
    return { ...image, root };
  };
}

/** Without the entries whose path matches. */
export function without(path: RegExp): ImageSabotage {
  return (image) => {
    const root = new Map([...image.root].filter(([name]) => !path.test(name)));
    if (root.size === image.root.size) throw new Error(`nothing on the root matches ${path}`);
    return { ...image, root };
  };
}

/** Another command line. */
export function withCmdline(change: (words: readonly string[]) => readonly string[]): ImageSabotage {
  return (image) => ({ ...image, cmdline: change(image.cmdline) });
}

/** One bit of the disk flipped. */
export function withFlip(place: (image: ImageView) => number): ImageSabotage {
  return (image) => {
    const at = place(image);
    const read = (offset: number, length: number): Buffer => {
      const bytes = image.read(offset, length);
      if (offset <= at && at < offset + length) bytes[at - offset]! ^= 1;
      return bytes;
    };
    return { ...image, read };
  };
}
