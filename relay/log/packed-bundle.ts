/** A full entry bundle, compressed: about an eighth of its bytes, since most of a record is like the one before. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Problem } from '../../protocol/problem.ts';
import { encodeBundle, parseBundle, TILE_WIDTH } from '../../protocol/tile.ts';

/** Higher levels take longer and save nothing: what is left is random. */
const LEVEL = 1;
/** What most unpacked bundles need, in one piece. */
const CHUNK_BYTES = 131_072;
/** Of an unpacked bundle: 256 entries of the longest length and their lengths. */
const MAX_BYTES = TILE_WIDTH * (65_535 + 2);

/** The entries of a full bundle, compressed (zstd, with its checksum). */
export function packBundle(entries: readonly Uint8Array[]): Uint8Array {
  const params = { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 };
  return new Uint8Array(zstdCompressSync(encodeBundle(entries), { params })); // without what its buffer has to spare
}

/** The entries of a compressed full bundle; refuses `log-tile-invalid`. */
export function unpackBundle(packed: Uint8Array): Uint8Array[] {
  let plain: Uint8Array;
  try {
    plain = zstdDecompressSync(packed, { maxOutputLength: MAX_BYTES, chunkSize: CHUNK_BYTES });
  } catch {
    throw new Problem('log-tile-invalid', `${packed.length} bytes are no compressed bundle`);
  }
  return parseBundle(plain, TILE_WIDTH);
}
