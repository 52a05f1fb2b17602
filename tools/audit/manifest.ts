/**
 * `manifest.json` of an export: what was exported when, and the hash of each file. Nothing vouches for it: it finds
 * files that were lost or damaged on the way, and the checkpoints prove the rest.
 */
import { canonicalBytes, parseCanonical } from '../../protocol/canonical.ts';
import { check, integer, list, type Of, object, record, text } from '../../protocol/shape.ts';
import { bytesText, idText, nameText, originText, timeMs, version1 } from '../../protocol/shapes.ts';
import { MAX_EPOCHS } from './layout.ts';

/** Room for a million files. */
export const MAX_MANIFEST_BYTES: number = 2 ** 27;
const MAX_FILES = 2 ** 20;
const COUNT = integer(0, Number.MAX_SAFE_INTEGER);

/** A path below the export with "/" between its parts, none of which begins with a dot. */
const pathText = text('a path in the export', 1, 160, /^(?!\.)[\w.-]+(\/(?!\.)[\w.-]+)*$/);

const epoch = object({
  id: idText,
  origin: originText,
  /** Of the newest head. */
  size: COUNT,
  root: bytesText(32),
  seconds: COUNT,
  /** Leaves whose hashes are there: more than `size` when some were never signed. */
  leaves: COUNT,
  /** Log records that are there: less than `leaves` when the relay had dropped some. */
  records: COUNT,
});

const manifest = object({
  v: version1,
  /** Name of the relay. */
  relay: nameText,
  /** Wall time of who exported. */
  madeMs: timeMs,
  /** Oldest first: the last one is the root of the export. */
  epochs: list(epoch, 1, MAX_EPOCHS, ({ id }) => id),
  counts: object({ files: COUNT, bytes: COUNT, records: COUNT }),
  /** base64url of the SHA-256 of each file but this one, by its path. */
  files: record(pathText, bytesText(32), MAX_FILES),
});
export type Manifest = Of<typeof manifest>;

/** The bytes of the file; refuses `schema-invalid`. */
export function formatManifest(value: Manifest): Uint8Array {
  return canonicalBytes(check(manifest, value));
}

/** Parses the bytes of the file; refuses `json-invalid`, `json-not-canonical` and `schema-invalid`. */
export function parseManifest(bytes: Uint8Array): Manifest {
  return check(manifest, parseCanonical(bytes, MAX_MANIFEST_BYTES));
}
