/** The key that exports are sealed to: a secret file for the auditor, and a public one for who exports. */
import { canonicalText, parseJson } from '../../protocol/canonical.ts';
import { type Engine, KEM_PUBLIC_KEY_BYTES, type KemKey } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
import { check, object } from '../../protocol/shape.ts';
import { bytesText, version1 } from '../../protocol/shapes.ts';
import { fromBase64Url, toBase64Url } from '../../protocol/text.ts';
import { readFileBounded, readSecretFile, writeFileAtomic } from './files.ts';

const LIMIT = 4096;
const secret = object({ v: version1, auditorSeed: bytesText(32) });
const open = object({ v: version1, auditorKey: bytesText(KEM_PUBLIC_KEY_BYTES) });

/** Makes a key: the secret at `path`, mode 600, its public half at `path`.pub, which is given. Refuses `already-exists`. */
export function makeAuditorKey(engine: Engine, path: string): string {
  for (const there of [path, `${path}.pub`]) {
    if (readFileBounded(there, LIMIT))
      throw new Problem('already-exists', `${there} is there; a key is never replaced`);
  }
  const seed = engine.random(32);
  const auditorKey = toBase64Url(engine.kemKey(seed).publicKey);
  writeFileAtomic(path, `${canonicalText({ auditorSeed: toBase64Url(seed), v: 1 })}\n`);
  writeFileAtomic(`${path}.pub`, `${canonicalText({ auditorKey, v: 1 })}\n`, 0o644);
  return `${path}.pub`;
}

/** The secret key in a file; refuses `key-missing`, `permissions-open` and `file-invalid`. */
export function readAuditorKey(engine: Engine, path: string): KemKey {
  const { auditorSeed } = parsed(path, readSecretFile(path, LIMIT), secret);
  return engine.kemKey(fromBase64Url(auditorSeed));
}

/** The public key in a file; refuses `key-missing` and `file-invalid`, also for the secret half. */
export function readAuditorPublicKey(path: string): Uint8Array {
  return fromBase64Url(parsed(path, readFileBounded(path, LIMIT), open).auditorKey);
}

function parsed<T>(path: string, bytes: Uint8Array | null, shape: (value: unknown, path: string) => T): T {
  if (!bytes) throw new Problem('key-missing', `${path} is not there; "ghostpipe-audit auditor-key" makes a key`);
  try {
    return check(shape, parseJson(bytes, LIMIT));
  } catch {
    // What is in it may be a secret of something else: not a word of it is repeated.
    throw new Problem(
      'file-invalid',
      `${path} is not the half of a key that "ghostpipe-audit auditor-key" made for this`,
    );
  }
}
