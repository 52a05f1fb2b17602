/**
 * Signed notes: text with signature lines under it (C2SP signed-note, section Format).
 *
 *     text, which ends in a newline
 *     (an empty line)
 *     — NAME BASE64(key id u32 || signature)
 *
 * Lines by unknown keys are kept and mean nothing.
 */
import { ByteReader, ByteWriter, utf8 } from './bytes.ts';
import { Problem } from './problem.ts';
import { fromBase64, toBase64 } from './text.ts';

/** Room for 16 post-quantum signatures, which a reader must accept, and more. */
export const MAX_NOTE_BYTES = 131_072;
export const MAX_NOTE_SIGNATURES = 32;
export const MAX_KEY_NAME_BYTES = 255;

/** One signature line. */
export interface NoteSignature {
  /** Name of the key: see `isKeyName`. */
  readonly name: string;
  readonly keyId: number;
  /** What follows the key id: at least one byte. */
  readonly signature: Uint8Array;
}

export interface Note {
  /** Ends in a newline, which the signatures cover too. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** True for 1 to 255 bytes of UTF-8 without spaces, control characters and "+". */
export function isKeyName(name: string): boolean {
  return /^[^\p{White_Space}\p{Cc}+]+$/u.test(name) && name.isWellFormed() && utf8(name).length <= MAX_KEY_NAME_BYTES;
}

/** The bytes of a note; refuses `log-note-invalid` for what `parseNote` would not give back. */
export function formatNote({ text, signatures }: Note): Uint8Array {
  const bytes = utf8(`${text}\n${formatSignatures(signatures)}`);
  if (parseNote(bytes).text !== text)
    throw new Problem('log-note-invalid', 'the text does not end in a newline, or is not Unicode');
  return bytes;
}

/** Parses a note without believing it; refuses `log-note-invalid` and `encoding-invalid`. */
export function parseNote(bytes: Uint8Array): Note {
  const whole = decode(bytes);
  const end = whole.lastIndexOf('\n\n');
  if (end < 0) throw new Problem('log-note-invalid', 'no empty line parts text and signatures');
  return { text: whole.slice(0, end + 1), signatures: parseLines(whole.slice(end + 2)) };
}

/** Signature lines alone, as a cosigner gives them. */
export function formatSignatures(signatures: readonly NoteSignature[]): string {
  return signatures.map((each) => `— ${each.name} ${toBase64(signatureBytes(each))}\n`).join('');
}

/** Parses signature lines alone, at least one; refuses `log-note-invalid` and `encoding-invalid`. */
export function parseSignatures(bytes: Uint8Array): NoteSignature[] {
  return parseLines(decode(bytes));
}

function decode(bytes: Uint8Array): string {
  if (bytes.length > MAX_NOTE_BYTES) {
    throw new Problem('log-note-invalid', `the note has ${bytes.length} bytes, the limit is ${MAX_NOTE_BYTES}`);
  }
  if (bytes.some((byte) => byte < 0x20 && byte !== 0x0a)) {
    throw new Problem('log-note-invalid', 'a control character stands in the note');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Problem('log-note-invalid', `${bytes.length} bytes are not UTF-8`);
  }
}

function parseLines(text: string): NoteSignature[] {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.length === 0 || lines.length > MAX_NOTE_SIGNATURES) {
    throw new Problem('log-note-invalid', `not 1 to ${MAX_NOTE_SIGNATURES} signature lines, each with its newline`);
  }
  return lines.map(parseLine);
}

function parseLine(line: string): NoteSignature {
  const [dash, name, encoded, ...more] = line.split(' ');
  if (dash !== '—' || !isKeyName(name ?? '') || encoded === undefined || more.length > 0) {
    throw new Problem('log-note-invalid', 'a signature line is not a dash, a key name and base64');
  }
  const reader = new ByteReader(fromBase64(encoded), 'log-note-invalid');
  const keyId = reader.u32();
  if (reader.left === 0) throw new Problem('log-note-invalid', 'a signature line holds a key id only');
  return { name: name!, keyId, signature: reader.bytes(reader.left) };
}

function signatureBytes({ keyId, signature }: NoteSignature): Uint8Array {
  const out = new Uint8Array(4 + signature.length);
  new ByteWriter(out).u32(keyId).bytes(signature);
  return out;
}
