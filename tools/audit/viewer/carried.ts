/**
 * The files that an export's page carries in itself, as one run of bytes: how many, then for each the length of its path
 * (two bytes), its path in ASCII, its length (four bytes) and its content.
 */
import { ByteReader, ByteWriter, utf8 } from '../../../protocol/bytes.ts';

/** Files by their paths below the export. */
export type Files = ReadonlyMap<string, Uint8Array>;

export function packFiles(files: Files): Uint8Array {
  const parts = [...files].map(([path, content]) => ({ path: utf8(path), content }));
  const length = parts.reduce((sum, { path, content }) => sum + 2 + path.length + 4 + content.length, 4);
  const bytes = new Uint8Array(length);
  const writer = new ByteWriter(bytes).u32(parts.length);
  for (const { path, content } of parts) writer.u16(path.length).bytes(path).u32(content.length).bytes(content);
  return bytes;
}

/** Views, not copies; refuses `file-invalid`. */
export function unpackFiles(bytes: Uint8Array): Map<string, Uint8Array> {
  const reader = new ByteReader(bytes, 'file-invalid');
  const files = new Map<string, Uint8Array>();
  for (let count = reader.u32(); count > 0; count--) {
    const path = new TextDecoder().decode(reader.bytes(reader.u16()));
    files.set(path, reader.bytes(reader.u32()));
  }
  reader.end();
  return files;
}
