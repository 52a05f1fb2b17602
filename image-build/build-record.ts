/** `build.json`, which `npm run image` leaves in the build folder of an image: what a release has to know of it. */
import { Problem } from '../protocol/problem.ts';
import { readFileBounded } from '../tools/lib/files.ts';

/** A Debian package file. */
export interface BuiltPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly sha256: string;
}

export interface BuildRecord {
  readonly format: 'ghostpipe/image-build/v1';
  readonly version: string;
  readonly board: string;
  /** Debian's name of the processor. */
  readonly arch: string;
  /** Time of every file, in seconds since 1970. */
  readonly epoch: number;
  /** zstd level of the build. */
  readonly level: number;
  readonly image: { readonly bytes: number; readonly sha256: string };
  readonly verity: { readonly rootHash: string; readonly salt: string; readonly dataBytes: number };
  readonly kernel: string;
  /** Of the root, and of what made it. */
  readonly packages: readonly BuiltPackage[];
  readonly tools: readonly BuiltPackage[];
}

const LIMIT = 4 << 20;

/** Reads what this project's own build wrote; refuses `file-invalid` when it is not there or of another format. */
export function readBuildRecord(path: string): BuildRecord {
  const content = readFileBounded(path, LIMIT);
  if (!content) throw new Problem('file-invalid', `${path} does not exist: build the image first (npm run image)`);
  const record = JSON.parse(Buffer.from(content).toString('utf8')) as BuildRecord;
  if (record.format !== 'ghostpipe/image-build/v1') {
    throw new Problem(
      'file-invalid',
      `${path} has the format "${record.format}", this is for ghostpipe/image-build/v1`,
    );
  }
  return record;
}
