/**
 * Keys that sign notes, their ids and their text form, the verifier key (C2SP signed-note, sections Signatures and
 * Verifier keys).
 */
import { ByteReader, concat, utf8 } from './bytes.ts';
import { type Engine, SIGNATURE_ALGORITHMS, type SignatureAlgorithm, type SingleKey } from './engine/engine.ts';
import type { Hasher } from './merkle.ts';
import { isKeyName, type Note, type NoteSignature } from './note.ts';
import { Problem } from './problem.ts';
import { fromBase64, toBase64 } from './text.ts';

/** A public key and the name that it signs under. */
export interface NoteKey {
  readonly name: string;
  readonly algorithm: SignatureAlgorithm;
  readonly publicKey: Uint8Array;
}

/** What stands in front of the public key: a type that C2SP assigned, or 0xff and the product's own identifier. */
const TYPES: Readonly<Record<SignatureAlgorithm, Uint8Array>> = {
  ed25519: Uint8Array.of(0x01),
  'ml-dsa-44': Uint8Array.of(0x06),
  'ml-dsa-65': concat(Uint8Array.of(0xff), utf8('paramant.app/ml-dsa-65/v1')),
};
const MAX_TEXT_CHARACTERS = 4096;

/** The first four bytes of SHA-256(name || 0x0A || type || public key), as a number. */
export function noteKeyId(hasher: Hasher, key: NoteKey): number {
  const hash = hasher.sha256(utf8(`${key.name}\n`), TYPES[key.algorithm], key.publicKey);
  return new ByteReader(hash, 'log-note-invalid').u32();
}

/** The signature lines of a note that name `key`: none, one or more, and not verified yet. */
export function signaturesOf(hasher: Hasher, note: Note, key: NoteKey): NoteSignature[] {
  const id = noteKeyId(hasher, key);
  return note.signatures.filter(({ name, keyId }) => name === key.name && keyId === id);
}

/** The line by which `signer`, an Ed25519 key under `name`, signs the text of a note (section Ed25519 signatures). */
export function signText(hasher: Hasher, name: string, signer: SingleKey, text: string): NoteSignature {
  const { algorithm, publicKey } = signer;
  return { name, keyId: noteKeyId(hasher, { name, algorithm, publicKey }), signature: signer.sign('', utf8(text)) };
}

/** Refuses `signature-invalid` unless a line that names `key` is a signature by it over the text of a note. */
export function verifyText(engine: Engine, key: NoteKey, text: string, line: NoteSignature): void {
  if (!engine.verifySingle(key.algorithm, key.publicKey, '', utf8(text), line.signature)) {
    throw new Problem('signature-invalid', `the ${key.algorithm} line of ${key.name} does not verify`);
  }
}

/** The verifier key: `NAME+HEX(key id)+BASE64(type || public key)`. */
export function formatVerifierKey(hasher: Hasher, key: NoteKey): string {
  return `${key.name}+${idText(hasher, key)}+${toBase64(concat(TYPES[key.algorithm], key.publicKey))}`;
}

/** The key of a verifier key of one of the three types; refuses `log-note-invalid` and `encoding-invalid`. */
export function parseVerifierKey(hasher: Hasher, text: string): NoteKey {
  const [, name, id, encoded] = (text.length <= MAX_TEXT_CHARACTERS && /^([^+]+)\+([^+]+)\+(.+)$/.exec(text)) || [];
  if (name === undefined || !isKeyName(name)) {
    throw new Problem('log-note-invalid', 'the verifier key is not a name, a key id and a key with "+" between');
  }
  const key = { name, ...typedKey(fromBase64(encoded!)) };
  const expected = idText(hasher, key);
  if (id !== expected) throw new Problem('log-note-invalid', `the key id is not ${expected}, that of name and key`);
  return key;
}

function typedKey(bytes: Uint8Array): Omit<NoteKey, 'name'> {
  for (const [algorithm, type] of Object.entries(TYPES) as [SignatureAlgorithm, Uint8Array][]) {
    const { publicKeyBytes } = SIGNATURE_ALGORITHMS[algorithm];
    if (bytes.length === type.length + publicKeyBytes && type.every((byte, i) => byte === bytes[i])) {
      return { algorithm, publicKey: bytes.subarray(type.length) };
    }
  }
  throw new Problem('log-note-invalid', `${bytes.length} bytes are no key of a type that this version knows`);
}

function idText(hasher: Hasher, key: NoteKey): string {
  return noteKeyId(hasher, key).toString(16).padStart(8, '0');
}
