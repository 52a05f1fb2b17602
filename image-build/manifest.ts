/**
 * The manifest of a released image: what each of its bytes has to be. It is a JSON file that two signatures are over,
 * byte for byte; docs/appliance.md explains it.
 */
import { parseJson } from '../protocol/canonical.ts';
import { check, integer, list, type Of, object, oneOf, text } from '../protocol/shape.ts';
import { FILE_KINDS, MAX_FILES } from './root-files.ts';

const MAX_BYTES = 2 ** 36;
export const MANIFEST_LIMIT = 16 << 20;

const name = text('a name', 1, 120, /^[\w.+-]+$/);
const sha256 = text('a SHA-256 in hex', 64, 64, /^[0-9a-f]{64}$/);
const bytes = integer(0, MAX_BYTES);
const file = object({ file: name, bytes, sha256 });
const part = object({ name, offset: bytes, bytes, sha256 });
const rootFile = object({
  path: text('a path', 1, 4096),
  kind: oneOf(FILE_KINDS),
  mode: text('four octal digits', 4, 4, /^[0-7]{4}$/),
  uid: integer(0, 0xffffffff),
  gid: integer(0, 0xffffffff),
  bytes,
  sha256: text('a SHA-256 in hex, or nothing', 0, 64, /^([0-9a-f]{64})?$/),
});

const shape = object({
  format: oneOf(['ghostpipe/image-manifest/v1']),
  version: name,
  board: name,
  arch: name,
  /** Time of every file, in seconds since 1970. */
  epoch: integer(0, 0xffffffff),
  node: name,
  kernel: name,
  image: file,
  compressed: file,
  sbom: file,
  packages: file,
  /** From the first byte to the last. `card` is as it was released: it is the one part that a site writes to. */
  parts: list(part, 4, 8, ({ name }) => name),
  verity: object({ rootHash: sha256, salt: text('hexadecimal digits', 0, 512, /^([0-9a-f]{2})*$/), dataBytes: bytes }),
  files: list(rootFile, 1, MAX_FILES, ({ path }) => path),
});
export type Manifest = Of<typeof shape>;
/** A file of a release beside the manifest. */
export type ReleasedFile = Of<typeof file>;

/** The part of a disk that a site writes to. */
export const SITE_PART = 'card';

/** Parses a manifest; refuses `json-invalid` and `schema-invalid`. */
export function parseManifest(content: Uint8Array): Manifest {
  return check(shape, parseJson(content, MANIFEST_LIMIT));
}

/** The file's text: one line for each part and for each file of the root, so that two manifests can be compared. */
export function formatManifest(manifest: Manifest): string {
  check(shape, manifest);
  const lines = Object.entries(manifest).map(([key, value]) => {
    const items = Array.isArray(value)
      ? `[\n${value.map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`
      : null;
    return `  ${JSON.stringify(key)}: ${items ?? JSON.stringify(value)}`;
  });
  return `{\n${lines.join(',\n')}\n}\n`;
}
