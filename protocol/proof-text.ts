/** What the two proof files of C2SP have in common: lines of text, hashes in base64, an empty line, a checkpoint. */
import { concat, utf8 } from './bytes.ts';
import { HASH_BYTES, MAX_PROOF_HASHES } from './merkle.ts';
import { MAX_NOTE_BYTES } from './note.ts';
import { Problem } from './problem.ts';
import { fromBase64, fromDecimal, toBase64 } from './text.ts';

/** Room in front of the checkpoint for all hashes and 16 KiB in base64. */
const MAX_HEAD_BYTES = 32_768;
const NEWLINE = 0x0a;

export interface ProofText {
  /** The lines in front of the empty one, at least one, without their newlines. */
  readonly lines: readonly string[];
  /** What follows it, byte for byte. */
  readonly checkpoint: Uint8Array;
}

export function formatProofText({ lines, checkpoint }: ProofText): Uint8Array {
  return concat(utf8(`${lines.join('\n')}\n\n`), checkpoint);
}

/** Parts the lines from the checkpoint; refuses `proof-invalid`. */
export function parseProofText(bytes: Uint8Array): ProofText {
  if (bytes.length > MAX_HEAD_BYTES + MAX_NOTE_BYTES) {
    throw new Problem('proof-invalid', `${bytes.length} bytes are more than ${MAX_HEAD_BYTES + MAX_NOTE_BYTES}`);
  }
  const end = bytes.findIndex((byte, i) => byte === NEWLINE && bytes[i + 1] === NEWLINE);
  if (end < 0 || end > MAX_HEAD_BYTES) {
    throw new Problem('proof-invalid', `no empty line within the first ${MAX_HEAD_BYTES} bytes`);
  }
  const head = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, end));
  return { lines: head.split('\n'), checkpoint: bytes.subarray(end + 2) };
}

/** The lines of the hashes of a proof. */
export function hashLines(hashes: readonly Uint8Array[]): string[] {
  return hashes.map(toBase64);
}

/** The hashes of a proof's lines; refuses `proof-invalid` and `encoding-invalid`. */
export function parseHashLines(lines: readonly string[]): Uint8Array[] {
  if (lines.length > MAX_PROOF_HASHES) {
    throw new Problem('proof-invalid', `${lines.length} hashes are more than ${MAX_PROOF_HASHES}`);
  }
  return lines.map((line) => {
    const hash = fromBase64(line);
    if (hash.length !== HASH_BYTES) throw new Problem('proof-invalid', `a hash has ${hash.length} bytes`);
    return hash;
  });
}

/** The number in a line that is `word`, a space and a decimal; refuses `proof-invalid` and `encoding-invalid`. */
export function parseNumberLine(word: string, line: string | undefined): number {
  if (!line?.startsWith(`${word} `)) throw new Problem('proof-invalid', `no line "${word}" where it must stand`);
  return fromDecimal(line.slice(word.length + 1));
}
