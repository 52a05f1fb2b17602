/**
 * The relay's identity: one 32-byte seed, from which come the TLS key, the audit log's key and the key for classic
 * listeners. With a seed file the relay is the same at each boot; without one it is new at each start.
 */
import { open } from 'node:fs/promises';
import { type Engine, SEED_BYTES } from '../protocol/engine/engine.ts';
import { deriveSeed } from '../protocol/engine/seeds.ts';
import { Problem } from '../protocol/problem.ts';
import { fromBase64Url, pinOf } from '../protocol/text.ts';
import { type Certified, ecdsaCertificate, mlDsaCertificate, mlDsaKey, spkiOf } from './http/certificate.ts';

export interface RelayIdentity {
  /** For `pq` listeners; its pin is in every client's profile. */
  readonly tls: Certified;
  /** For `classic` listeners. */
  readonly classic: Certified;
  /** Pin of the key that will sign tree heads. */
  readonly logPin: string;
  /** Seed of that key, for the signer, which wipes it. */
  readonly logSeed: Uint8Array;
}

/** Derives the identity of `seed`, 32 bytes, which the caller may wipe afterwards. */
export function relayIdentity(engine: Engine, seed: Uint8Array, name: string): RelayIdentity {
  const tlsSeed = deriveSeed(engine, seed, 'ghostpipe/seed-tls/v1');
  const classicSeed = deriveSeed(engine, seed, 'ghostpipe/seed-tls-classic/v1');
  const logSeed = deriveSeed(engine, seed, 'ghostpipe/seed-log/v1');
  const identity = {
    tls: mlDsaCertificate(tlsSeed, name),
    classic: ecdsaCertificate(classicSeed, name),
    logPin: pinOf(spkiOf(mlDsaKey(logSeed))),
    logSeed,
  };
  for (const used of [tlsSeed, classicSeed]) used.fill(0);
  return identity;
}

/** Reads a seed file: base64url of 32 bytes. Refuses `config-missing`, `permissions-open` and `file-invalid`. */
export async function readSeedFile(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new Problem('config-missing', `the seed file ${path} cannot be opened (${error.code})`);
  });
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0) {
      throw new Problem('permissions-open', `${path} has mode ${(mode & 0o777).toString(8)}, expected 600`);
    }
    if (size > 64) throw new Problem('file-invalid', `${path} has ${size} bytes, a seed file has 43`);
    return parseSeed(await file.readFile('utf8'), path);
  } finally {
    await file.close();
  }
}

function parseSeed(text: string, path: string): Uint8Array {
  const seed = text.trim().length === 43 ? decode(text.trim()) : null;
  if (seed?.length !== SEED_BYTES) throw new Problem('file-invalid', `${path} is not 32 bytes in base64url`);
  return seed;
}

function decode(text: string): Uint8Array | null {
  try {
    return fromBase64Url(text);
  } catch {
    return null;
  }
}
