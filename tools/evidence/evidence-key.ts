/** The evidence key: a seed in a file of its own, which is neither the operator's nor the relay's. */
import { existsSync } from 'node:fs';
import { type Engine, SEED_BYTES, type SigningKey } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
import { fromBase64Url, toBase64Url } from '../../protocol/text.ts';
import { readSecretFile, writeFileAtomic } from '../lib/files.ts';

/** The key in the file `path`; made when there is no file. Refuses `permissions-open` and `file-invalid`. */
export function evidenceKey(engine: Engine, path: string): SigningKey {
  if (!existsSync(path)) writeFileAtomic(path, `${toBase64Url(engine.random(SEED_BYTES))}\n`);
  const text = Buffer.from(readSecretFile(path, 64) ?? [])
    .toString('latin1')
    .trim();
  const seed = text.length === 43 ? fromBase64Url(text) : new Uint8Array(0);
  if (seed.length !== SEED_BYTES) throw new Problem('file-invalid', `${path} is not 32 bytes in base64url`);
  return engine.signingKey(seed);
}
