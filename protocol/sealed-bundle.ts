/**
 * Sealed bundle: an entry bundle of the audit log that only the auditor reads, on a stick that anybody may find.
 *
 *     header   "GPR1" | keyId 16 | X-Wing ciphertext 1120
 *     body     AES-256-GCM(length u32 | bundle | zeros up to a multiple of 65,536), AAD = header | path of the bundle, tag 16
 *
 * Nobody signs it: the records inside prove themselves by the tree. The zeros hide what the length would tell of the
 * records, some of which are longer than others.
 */
import { KEY_ID_BYTES } from './block.ts';
import { ByteReader, ByteWriter, concat, equalBytes, utf8 } from './bytes.ts';
import { AEAD_TAG_BYTES, type Engine, KEM_CIPHERTEXT_BYTES, type KemKey } from './engine/engine.ts';
import { keyIdOf } from './key-id.ts';
import { Problem } from './problem.ts';
import { toHex } from './text.ts';

const MAGIC = utf8('GPR1');
const HEADER_BYTES = MAGIC.length + KEY_ID_BYTES + KEM_CIPHERTEXT_BYTES;
const STEP_BYTES = 65_536;
/** A key is used once, so its initialisation vector may be fixed. */
const ZERO_IV = new Uint8Array(12);

/** Length of a sealed bundle of `bytes` bytes. */
export function sealedLength(bytes: number): number {
  return HEADER_BYTES + Math.ceil((4 + bytes) / STEP_BYTES) * STEP_BYTES + AEAD_TAG_BYTES;
}

/**
 * Seals a bundle to an auditor's X-Wing key, bound to its tile path. The key beside it is secret: by it the maker can read
 * once more what it wrote. Refuses `kem-invalid`.
 */
export function sealBundle(
  engine: Engine,
  publicKey: Uint8Array,
  path: string,
  bundle: Uint8Array,
): { readonly sealed: Uint8Array; readonly key: Uint8Array } {
  const { ciphertext, sharedSecret } = engine.encapsulate(publicKey);
  const sealed = new Uint8Array(sealedLength(bundle.length));
  const header = sealed.subarray(0, HEADER_BYTES);
  const body = sealed.subarray(HEADER_BYTES, sealed.length - AEAD_TAG_BYTES);
  new ByteWriter(header).bytes(MAGIC).bytes(keyIdOf(engine, publicKey)).bytes(ciphertext);
  new ByteWriter(body).u32(bundle.length).bytes(bundle);
  const key = bundleKey(engine, sharedSecret, header);
  const tag = engine.aeadSeal(key, ZERO_IV, concat(header, utf8(path)), body, body);
  sealed.set(tag, sealed.length - AEAD_TAG_BYTES);
  return { sealed, key };
}

/** The key of a sealed bundle. Refuses `log-sealed` when it is for another auditor, `log-tile-invalid` when it is none. */
export function sealedBundleKey(engine: Engine, auditor: KemKey, sealed: Uint8Array): Uint8Array {
  const reader = new ByteReader(headerOf(sealed), 'log-tile-invalid');
  reader.bytes(MAGIC.length);
  const [keyId, own] = [reader.bytes(KEY_ID_BYTES), keyIdOf(engine, auditor.publicKey)];
  if (!equalBytes(keyId, own)) {
    throw new Problem('log-sealed', `it is sealed to the key ${toHex(keyId)}, the auditor key here is ${toHex(own)}`);
  }
  return bundleKey(engine, auditor.decapsulate(reader.bytes(KEM_CIPHERTEXT_BYTES)), headerOf(sealed));
}

/** The bundle behind `sealed`, which stands for the tile path; refuses `log-tile-invalid` for any change. */
export function openSealedBundle(engine: Engine, key: Uint8Array, path: string, sealed: Uint8Array): Uint8Array {
  const header = headerOf(sealed);
  const body = sealed.slice(HEADER_BYTES, sealed.length - AEAD_TAG_BYTES);
  const tag = sealed.slice(sealed.length - AEAD_TAG_BYTES);
  if (!engine.aeadOpen(key, ZERO_IV, concat(header, utf8(path)), body, tag, body)) {
    throw new Problem('log-tile-invalid', `the seal of ${path} is broken: it was changed, or is of another bundle`);
  }
  const reader = new ByteReader(body, 'log-tile-invalid');
  return reader.bytes(reader.u32());
}

function headerOf(sealed: Uint8Array): Uint8Array {
  if (sealed.length < sealedLength(0) || !equalBytes(sealed.subarray(0, MAGIC.length), MAGIC)) {
    throw new Problem('log-tile-invalid', `${sealed.length} bytes are no sealed bundle`);
  }
  return sealed.subarray(0, HEADER_BYTES);
}

function bundleKey(engine: Engine, sharedSecret: Uint8Array, header: Uint8Array): Uint8Array {
  return engine.hkdf(sharedSecret, engine.sha256(header), utf8('ghostpipe/sealed-bundle/v1'), 32);
}
