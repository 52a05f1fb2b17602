/**
 * The release key: one seed in a file of its own, and of it two keys, Ed25519 and ML-DSA-65. Signatures are plain ones
 * over the bytes of a file, so that openssl alone verifies them. It signs nothing but manifests.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { existsSync } from 'node:fs';
import { nativeEngine } from '../protocol/engine/native.ts';
import { deriveSeed } from '../protocol/engine/seeds.ts';
import { asProblem, Problem } from '../protocol/problem.ts';
import { fromBase64Url, toBase64Url } from '../protocol/text.ts';
import { readSecretFile, writeFileAtomic } from '../tools/lib/files.ts';

/** Both have to verify: an image is only as good as the stronger of the two. */
export const ALGORITHMS = ['mldsa65', 'ed25519'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];
/** Something for each of the two algorithms. */
export type Pair<T> = Readonly<Record<Algorithm, T>>;

const SEED_BYTES = 32;
/** Names in node:crypto, and how a seed becomes a private key there. */
const NODE_NAMES: Pair<readonly [type: string, format: string]> = {
  mldsa65: ['ml-dsa-65', 'raw-seed'],
  ed25519: ['ed25519', 'raw-private'],
};

/** A pair of keys that signs. */
export interface ReleaseKey {
  /** Public keys, PEM. */
  readonly publicKeys: Pair<string>;
  /** Signatures over the bytes as they are. */
  sign(bytes: Uint8Array): Pair<Uint8Array>;
}

/** Writes a new seed to `path`, mode 600; refuses `usage` when something is there. */
export function makeReleaseKey(path: string): ReleaseKey {
  if (existsSync(path)) throw new Problem('usage', `${path} is there already, and a key is never written over`);
  writeFileAtomic(path, `${toBase64Url(randomBytes(SEED_BYTES))}\n`);
  return readReleaseKey(path);
}

/** The key of the seed file `path`; refuses `key-missing`, `permissions-open` and `file-invalid`. */
export function readReleaseKey(path: string): ReleaseKey {
  const bytes = readSecretFile(path, 64);
  if (!bytes) throw new Problem('key-missing', `${path} does not exist; npm run image:key makes a release key`);
  return keyOfSeed(seedIn(path, Buffer.from(bytes).toString('latin1').trim()));
}

/** The key of a 32-byte seed. */
export function keyOfSeed(seed: Uint8Array): ReleaseKey {
  const keys = pairOf((algorithm) => {
    const [asymmetricKeyType, format] = NODE_NAMES[algorithm];
    const key = Buffer.from(deriveSeed(nativeEngine, seed, `ghostpipe/seed-release-${algorithm}/v1`));
    return createPrivateKey({ key, format, asymmetricKeyType } as never);
  });
  return {
    publicKeys: pairOf((algorithm) => pemOf(createPublicKey(keys[algorithm]))),
    sign: (bytes) => pairOf((algorithm) => sign(null, bytes, keys[algorithm])),
  };
}

/** What people compare: SHA-256 in hex of both public keys as they stand in their files, ML-DSA-65 first. */
export function releaseKeyHash(publicKeys: Pair<string>): string {
  const hash = createHash('sha256');
  for (const algorithm of ALGORITHMS) hash.update(publicKeys[algorithm]);
  return hash.digest('hex');
}

/** Which of the two signatures over `bytes` do not verify. */
export function badSignatures(publicKeys: Pair<string>, bytes: Uint8Array, signatures: Pair<Uint8Array>): Algorithm[] {
  return ALGORITHMS.filter((algorithm) => {
    try {
      const key = createPublicKey(publicKeys[algorithm]);
      const isKind = key.asymmetricKeyType === NODE_NAMES[algorithm][0];
      return !isKind || !verify(null, bytes, key, signatures[algorithm]);
    } catch {
      return true; // no key at all
    }
  });
}

/** The value that `make` gives for each algorithm. */
export function pairOf<T>(make: (algorithm: Algorithm) => T): Pair<T> {
  return { mldsa65: make('mldsa65'), ed25519: make('ed25519') };
}

function seedIn(path: string, text: string): Uint8Array {
  try {
    const seed = fromBase64Url(text);
    if (seed.length === SEED_BYTES) return seed;
  } catch (thrown) {
    asProblem(thrown); // it is not base64url: said below
  }
  throw new Problem('file-invalid', `${path} is not 32 bytes in base64url`);
}

function pemOf(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'spki' }) as string;
}
