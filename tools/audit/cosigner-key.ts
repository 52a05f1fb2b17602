/** The key of an archive server, by which it says that it holds the records under a head. A file of its own, secret. */
import { canonicalText, parseJson } from '../../protocol/canonical.ts';
import type { Engine, SingleKey } from '../../protocol/engine/engine.ts';
import { formatVerifierKey } from '../../protocol/note-key.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { check, object } from '../../protocol/shape.ts';
import { bytesText, originText, version1 } from '../../protocol/shapes.ts';
import { fromBase64Url, toBase64Url } from '../../protocol/text.ts';
import { readFileBounded, readSecretFile, writeFileAtomic } from '../lib/files.ts';

const LIMIT = 4096;
const file = object({ v: version1, name: originText, seed: bytesText(32) });

export interface CosignerKey {
  /** Under which it signs (C2SP signed-note, key name). */
  readonly name: string;
  readonly key: SingleKey;
}

/** Makes a key and writes its file, mode 600; refuses `already-exists`. */
export function makeCosignerKey(engine: Engine, path: string, name: string): CosignerKey {
  if (readFileBounded(path, LIMIT)) throw new Problem('already-exists', `${path} is there; a key is never replaced`);
  writeFileAtomic(path, `${canonicalText({ v: 1, name, seed: toBase64Url(engine.random(32)) })}\n`);
  return readCosignerKey(engine, path);
}

/** Reads the file of a key; refuses `key-missing`, `permissions-open` and `file-invalid`. */
export function readCosignerKey(engine: Engine, path: string): CosignerKey {
  const bytes = readSecretFile(path, LIMIT);
  if (!bytes) throw new Problem('key-missing', `${path} is not there; "ghostpipe-audit cosigner" makes a key`);
  try {
    const { name, seed } = check(file, parseJson(bytes, LIMIT));
    return { name, key: engine.singleKey('ml-dsa-44', fromBase64Url(seed)) };
  } catch (thrown) {
    throw new Problem(
      'file-invalid',
      `${path} is no key that "ghostpipe-audit cosigner" made: ${asProblem(thrown).detail}`,
    );
  }
}

/** Its verifier key, which stands in the roster (C2SP signed-note). */
export function verifierKeyOf(engine: Engine, { name, key }: CosignerKey): string {
  return formatVerifierKey(engine, { name, algorithm: key.algorithm, publicKey: key.publicKey });
}
