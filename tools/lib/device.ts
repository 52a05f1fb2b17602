/**
 * An enrolled device as a folder:
 *
 *     identity.json  name, signing seed, name salt           secret
 *     kem.json       X-Wing seeds by generation              secret
 *     api-key        the key that the relay knows the hash of secret
 *     grant.json     the operator's word, presented at registration
 *     roster.json    the roster of the day of enrolment
 */
import { join } from 'node:path';
import { utf8 } from '../../protocol/bytes.ts';
import { canonicalText, type Json, parseJson } from '../../protocol/canonical.ts';
import type { Engine, KemKey, SigningKey } from '../../protocol/engine/engine.ts';
import {
  API_KEY_PATTERN,
  didOf,
  type IdentityDocument,
  identityDigest,
  identityOf,
  nameCommitment,
} from '../../protocol/identity.ts';
import { keyIdOf } from '../../protocol/key-id.ts';
import { signKeyStatement } from '../../protocol/key-statement.ts';
import { Problem } from '../../protocol/problem.ts';
import { check, integer, list, type Of, object } from '../../protocol/shape.ts';
import { bytesText, nameText, version1 } from '../../protocol/shapes.ts';
import type { SignedJson } from '../../protocol/signed.ts';
import { fromBase64Url, toBase64Url, toHex } from '../../protocol/text.ts';
import { readFileBounded, readSecretFile, writeFileAtomic } from './files.ts';

const identityFile = object({ v: version1, name: nameText, seed: bytesText(32), nameSalt: bytesText(16) });
const kemFile = object({
  v: version1,
  keys: list(object({ generation: integer(1, 0xffff_ffff), seed: bytesText(32) }), 1, 16, (key) => `${key.generation}`),
});

export type IdentityFile = Of<typeof identityFile>;
export type KemFile = Of<typeof kemFile>;

const LIMIT = 65_536;
const NO_SALT = new Uint8Array(0);
export const ROSTER_FILE_LIMIT = 1_048_576;

/** A device with its keys at hand. */
export interface Device {
  readonly name: string;
  readonly did: string;
  readonly digest: Uint8Array;
  readonly identity: IdentityDocument;
  readonly signer: SigningKey;
  /** Generation of the newest key statement. */
  readonly generation: number;
  readonly keyStatement: SignedJson;
  /** The private key for a key id of any generation that is still kept. */
  kemKey(keyId: Uint8Array): KemKey | undefined;
}

/** What one device folder holds besides the device: credentials for the relay. */
export interface Enrolment {
  readonly device: Device;
  readonly grant: SignedJson;
  readonly apiKey: string;
  /** Canonical bytes of the roster of the day of enrolment. */
  readonly rosterBytes: Uint8Array;
  /** A 32-byte key for one file that this device keeps on its own disk, by the random id of the file. */
  readonly spoolKey: (id: Uint8Array) => Uint8Array;
  /** Where in an interval of so many ms the slots of this device open: spread over the sector, known to nobody else. */
  readonly slotPhaseMs: (intervalMs: number) => number;
}

/** Fresh secrets for a device called `name`. */
export function makeDeviceSecrets(engine: Engine, name: string): { identity: IdentityFile; kem: KemFile } {
  return {
    identity: {
      v: 1,
      name,
      seed: toBase64Url(engine.random(32)),
      nameSalt: toBase64Url(engine.random(16)),
    },
    kem: { v: 1, keys: [{ generation: 1, seed: toBase64Url(engine.random(32)) }] },
  };
}

/** The device behind its secrets. */
export function deviceOf(engine: Engine, identityFile: IdentityFile, kemFile: KemFile): Device {
  const signer = engine.signingKey(fromBase64Url(identityFile.seed));
  const commitment = nameCommitment(fromBase64Url(identityFile.nameSalt), identityFile.name);
  const identity = identityOf(signer.publicKeys, commitment);
  const digest = identityDigest(identity);
  const did = didOf(digest);
  const keys = kemFile.keys.map(({ generation, seed }) => ({ generation, key: engine.kemKey(fromBase64Url(seed)) }));
  const newest = keys.reduce((a, b) => (b.generation > a.generation ? b : a));
  const byId = new Map(keys.map(({ key }) => [toHex(keyIdOf(engine, key.publicKey)), key]));
  return {
    name: identityFile.name,
    did,
    digest,
    identity,
    signer,
    generation: newest.generation,
    keyStatement: signKeyStatement(engine, signer, did, newest.generation, newest.key.publicKey),
    kemKey: (keyId) => byId.get(toHex(keyId)),
  };
}

/** Writes a whole device folder; secrets with mode 600. */
export function writeEnrolment(
  folder: string,
  secrets: { identity: IdentityFile; kem: KemFile },
  credentials: { grant: SignedJson; apiKey: string; rosterBytes: Uint8Array },
): void {
  writeFileAtomic(join(folder, 'identity.json'), `${canonicalText(secrets.identity)}\n`);
  writeFileAtomic(join(folder, 'kem.json'), `${canonicalText(secrets.kem)}\n`);
  writeCredentials(folder, credentials);
}

/** Writes the parts of a device folder that the operator may replace: grant, API key, roster. */
export function writeCredentials(
  folder: string,
  credentials: { grant: SignedJson; apiKey: string; rosterBytes: Uint8Array },
): void {
  writeFileAtomic(join(folder, 'api-key'), `${credentials.apiKey}\n`);
  writeFileAtomic(join(folder, 'grant.json'), canonicalText(credentials.grant), 0o644);
  writeFileAtomic(join(folder, 'roster.json'), credentials.rosterBytes, 0o644);
}

/**
 * Reads a device folder. `apiKey` is used instead of the folder's own when the caller was given one. Refuses
 * `identity-missing`, `permissions-open`, `file-invalid` and `key-missing`.
 */
export function readEnrolment(engine: Engine, folder: string, apiKey?: string): Enrolment {
  const identity = readSecretJson(join(folder, 'identity.json'), identityFile);
  const kem = readSecretJson(join(folder, 'kem.json'), kemFile);
  return {
    device: deviceOf(engine, identity, kem),
    grant: parseJson(required(readFileBounded(join(folder, 'grant.json'), LIMIT), folder, 'grant.json'), LIMIT),
    apiKey: apiKey ?? readApiKey(join(folder, 'api-key')),
    rosterBytes: required(readFileBounded(join(folder, 'roster.json'), ROSTER_FILE_LIMIT), folder, 'roster.json'),
    spoolKey: (id) => engine.hkdf(fromBase64Url(identity.seed), id, utf8('ghostpipe/spool/v1'), 32),
    slotPhaseMs: (intervalMs) => {
      const bytes = engine.hkdf(fromBase64Url(identity.seed), NO_SALT, utf8('ghostpipe/slot-phase/v1'), 4);
      return (Buffer.from(bytes).readUInt32BE() / 2 ** 32) * intervalMs;
    },
  };
}

/** The API key in a file; refuses `key-missing`, and `permissions-open` when others may read it. */
export function readApiKey(path: string): string {
  const bytes = readSecretFile(path, 256);
  if (!bytes) throw new Problem('key-missing', `${path} does not exist`);
  return checkApiKey(Buffer.from(bytes).toString('latin1').trim(), path);
}

/** An API key as it was given; refuses `key-missing` without repeating it. */
export function checkApiKey(key: string, from: string): string {
  if (!API_KEY_PATTERN.test(key)) {
    throw new Problem('key-missing', `${from} does not hold an API key (pgp_ and 43 characters)`);
  }
  return key;
}

function readSecretJson<T>(path: string, shape: (value: unknown, path: string) => T): T {
  const bytes = readSecretFile(path, LIMIT);
  if (!bytes) throw new Problem('identity-missing', `${path} does not exist`);
  try {
    return check(shape, parseJson(bytes, LIMIT) as Json);
  } catch {
    throw new Problem('file-invalid', `${path} is not a device secret of this version`);
  }
}

function required(bytes: Uint8Array | null, folder: string, name: string): Uint8Array {
  if (!bytes) throw new Problem('identity-missing', `${join(folder, name)} does not exist`);
  return bytes;
}
