/** Files as chunks: read twice (once to hash, once to send), never held whole in memory. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import type { Engine } from '../../protocol/engine/engine.ts';
import { MAX_NAME_BYTES } from '../../protocol/payload.ts';
import { Problem } from '../../protocol/problem.ts';
import type { Outbox } from './outbox.ts';

const READ_BYTES = 1_048_576;

/** Cuts the file at `path` into chunks that fit `room` bytes with their name, and takes them into the outbox. */
export function addFile(engine: Engine, path: string, room: number, outbox: Outbox): void {
  const name = basename(path);
  const nameBytes = Buffer.byteLength(name);
  if (nameBytes > MAX_NAME_BYTES) throw new Problem('payload-invalid', `the name of ${path} has ${nameBytes} bytes`);
  const chunkBytes = room - 2 - nameBytes;
  const { size, sha256 } = measure(path);
  const count = Math.max(1, Math.ceil(size / chunkBytes));
  const groupId = engine.random(16);
  for (let index = 0; index < count; index++) {
    const from = index * chunkBytes;
    const length = Math.min(chunkBytes, size - from);
    const load = (): Uint8Array => readPart(path, size, from, length);
    outbox.addChunk({ name, groupId, index, count, wholeSha256: sha256, load });
  }
}

function measure(path: string): { size: number; sha256: Uint8Array } {
  return withFile(path, (file, size) => {
    const hash = createHash('sha256');
    const buffer = new Uint8Array(READ_BYTES);
    for (let at = 0; at < size; ) {
      const count = readSync(file, buffer, 0, Math.min(buffer.length, size - at), at);
      if (count === 0) throw changed(path, size, at);
      hash.update(buffer.subarray(0, count));
      at += count;
    }
    return { size, sha256: new Uint8Array(hash.digest()) };
  });
}

function readPart(path: string, expectedSize: number, from: number, length: number): Uint8Array {
  return withFile(path, (file, size) => {
    if (size !== expectedSize) throw changed(path, expectedSize, size);
    const part = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const count = readSync(file, part, at, length - at, from + at);
      if (count === 0) throw changed(path, expectedSize, from + at);
      at += count;
    }
    return part;
  });
}

function withFile<T>(path: string, use: (file: number, size: number) => T): T {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (thrown) {
    throw new Problem('file-invalid', `${path} cannot be opened (${(thrown as NodeJS.ErrnoException).code})`);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new Problem('file-invalid', `${path} is not a regular file`);
    return use(file, stat.size);
  } finally {
    closeSync(file);
  }
}

function changed(path: string, before: number, now: number): Problem {
  return new Problem('file-invalid', `${path} changed while it was sent: it had ${before} bytes, now ${now}`);
}
