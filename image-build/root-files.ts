/**
 * What lies in the root of an image: every folder, file and link, with mode, owner and the hash of its content, read from
 * the squashfs itself without mounting it. A second implementation beside squashfs-tools, which made it.
 */
import { createHash } from 'node:crypto';
import type { ImageFile } from './image-file.ts';
import { damaged, type Place, SquashfsTables, storedBytes } from './squashfs-tables.ts';

export const FILE_KINDS = ['folder', 'file', 'link', 'device'] as const;

export interface RootFile {
  /** Without the slash at its front; the root itself is `.`. */
  readonly path: string;
  readonly kind: (typeof FILE_KINDS)[number];
  /** Four octal digits. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** Of the content of a file, or of where a link leads; 0 otherwise. */
  readonly bytes: number;
  /** SHA-256 in hex of the same; empty otherwise. */
  readonly sha256: string;
}

/** Most files of a root; the appliance has some hundreds. */
export const MAX_FILES = 20_000;
const MAX_DEPTH = 64;
const MAX_FILE_BYTES = 1 << 30;
const NO_FRAGMENT = 0xffffffff;
const LONGEST_INODE = 40;

/** The files of the squashfs that begins at byte `start`, sorted by path. Refuses `image-invalid`. */
export function rootFiles(image: ImageFile, start: number): RootFile[] {
  const tables = new SquashfsTables(image, start);
  const files: RootFile[] = [];
  walk(tables, tables.root, '', 0, files);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function walk(tables: SquashfsTables, place: Place, path: string, depth: number, files: RootFile[]): void {
  if (depth > MAX_DEPTH || files.length >= MAX_FILES) throw damaged('it has too many files or folders');
  const inode = tables.metadata(tables.inodes, place, 16);
  const type = inode.readUInt16LE(0);
  const common = {
    path: path || '.',
    mode: inode.readUInt16LE(2).toString(8).padStart(4, '0'),
    uid: tables.owner(inode.readUInt16LE(4)),
    gid: tables.owner(inode.readUInt16LE(6)),
  };
  // The extended kinds are the basic ones and 7.
  switch (type > 7 ? type - 7 : type) {
    case 1:
      files.push({ ...common, kind: 'folder', bytes: 0, sha256: '' });
      for (const { name, at } of entries(tables, place, type > 7)) {
        walk(tables, at, path === '' ? name : `${path}/${name}`, depth + 1, files);
      }
      break;
    case 2:
      files.push({ ...common, kind: 'file', ...contentOf(tables, place, type > 7) });
      break;
    case 3:
      files.push({ ...common, kind: 'link', ...targetOf(tables, place) });
      break;
    default:
      files.push({ ...common, kind: 'device', bytes: 0, sha256: '' });
  }
}

/** Names of a folder, and where their inodes are. */
function* entries(tables: SquashfsTables, place: Place, extended: boolean): Generator<{ name: string; at: Place }> {
  const inode = tables.metadata(tables.inodes, place, extended ? LONGEST_INODE : 32);
  const size = (extended ? inode.readUInt32LE(20) : inode.readUInt16LE(24)) - 3;
  const block = inode.readUInt32LE(extended ? 24 : 16);
  const offset = inode.readUInt16LE(extended ? 34 : 26);
  if (size <= 0) return;
  const listing = tables.metadata(tables.directories, { block, offset }, size);
  for (let at = 0; at < size; ) {
    const count = listing.readUInt32LE(at) + 1;
    const inodes = listing.readUInt32LE(at + 4);
    at += 12;
    for (let i = 0; i < count; i++) {
      const length = listing.readUInt16LE(at + 6) + 1;
      const name = listing.toString('utf8', at + 8, at + 8 + length);
      yield { name, at: { block: inodes, offset: listing.readUInt16LE(at) } };
      at += 8 + length;
    }
  }
}

function contentOf(tables: SquashfsTables, place: Place, extended: boolean): { bytes: number; sha256: string } {
  const head = extended ? 56 : 32;
  const inode = tables.metadata(tables.inodes, place, head);
  const bytes = extended ? inode.readUIntLE(24, 6) : inode.readUInt32LE(28);
  if (bytes > MAX_FILE_BYTES) throw damaged(`a file has ${bytes} bytes`);
  const fragment = inode.readUInt32LE(extended ? 44 : 20);
  const inFragment = inode.readUInt32LE(extended ? 48 : 24);
  const blocks = fragment === NO_FRAGMENT ? Math.ceil(bytes / tables.blockSize) : Math.floor(bytes / tables.blockSize);
  const sizes = tables.metadata(tables.inodes, place, head + 4 * blocks).subarray(head);
  const hash = createHash('sha256');
  let start = inode.readUIntLE(16, extended ? 6 : 4);
  for (let i = 0; i < blocks; i++) {
    const size = sizes.readUInt32LE(4 * i);
    const length = Math.min(tables.blockSize, bytes - i * tables.blockSize);
    hash.update(size === 0 ? Buffer.alloc(length) : tables.data(start, size)); // 0: nothing but zeros
    start += storedBytes(size);
  }
  if (fragment !== NO_FRAGMENT) {
    const { start: at, size } = tables.fragment(fragment);
    hash.update(tables.data(at, size).subarray(inFragment, inFragment + (bytes % tables.blockSize)));
  }
  return { bytes, sha256: hash.digest('hex') };
}

function targetOf(tables: SquashfsTables, place: Place): { bytes: number; sha256: string } {
  const bytes = tables.metadata(tables.inodes, place, 24).readUInt32LE(20);
  if (bytes > 4096) throw damaged(`a link has ${bytes} bytes`);
  const target = tables.metadata(tables.inodes, place, 24 + bytes).subarray(24);
  return { bytes, sha256: createHash('sha256').update(target).digest('hex') };
}
