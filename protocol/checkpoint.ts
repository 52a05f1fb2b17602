/**
 * Checkpoints: signed tree heads (C2SP tlog-checkpoint). The relay signs each with three keys, all under the log's
 * origin as name:
 *
 *     ML-DSA-65   the relay's log key, pinned         must hold
 *     ML-DSA-44   key of the epoch, C2SP type 0x06    must hold
 *     Ed25519     key of the epoch, C2SP type 0x01    for tools that know no other; never enough
 */
import { utf8 } from './bytes.ts';
import { cosign, type TreeHead, verifyCosignature } from './cosignature.ts';
import type { Engine, SignatureAlgorithm, SingleKey } from './engine/engine.ts';
import { HASH_BYTES, type Hasher } from './merkle.ts';
import { formatNote, MAX_KEY_NAME_BYTES, type Note, parseNote } from './note.ts';
import { signaturesOf, signText, verifyText } from './note-key.ts';
import { Problem } from './problem.ts';
import { fromBase64, fromDecimal, toBase64 } from './text.ts';

/** The keys that sign the heads of one epoch of a log. */
export type LogSigners = Readonly<Record<SignatureAlgorithm, SingleKey>>;
/** Their public halves, raw. */
export type LogKeys = Readonly<Record<SignatureAlgorithm, Uint8Array>>;

export interface VerifiedCheckpoint {
  readonly head: TreeHead;
  /** POSIX time in seconds that both post-quantum lines give. */
  readonly seconds: number;
  /** The log's lines that held: both post-quantum ones, and Ed25519 if it was there. */
  readonly held: readonly SignatureAlgorithm[];
  /** With the lines of others, as cosigners. */
  readonly note: Note;
}

/** From the line that counts most to the line that never suffices: their order in a checkpoint. */
export const CHECKPOINT_LINES: readonly SignatureAlgorithm[] = ['ml-dsa-65', 'ml-dsa-44', 'ed25519'];
const REQUIRED: readonly SignatureAlgorithm[] = ['ml-dsa-65', 'ml-dsa-44'];

/** The text that is signed: origin, size and root, each on its line; refuses `log-checkpoint-invalid`. */
export function formatHead({ origin, size, root }: TreeHead): string {
  const text = `${origin}\n${size}\n${toBase64(root)}\n`;
  parseHead(text);
  return text;
}

/**
 * The head in a note's text. Refuses `log-checkpoint-invalid` and `encoding-invalid`; extension lines too, because no
 * post-quantum signature covers them.
 */
export function parseHead(text: string): TreeHead {
  const [origin, size, root, end, ...more] = text.split('\n');
  if (end !== '' || more.length > 0) {
    throw new Problem('log-checkpoint-invalid', 'the text is not three lines: origin, size and root');
  }
  if (!origin || utf8(origin).length > MAX_KEY_NAME_BYTES) {
    throw new Problem('log-checkpoint-invalid', `the origin does not have 1 to ${MAX_KEY_NAME_BYTES} bytes`);
  }
  const head = { origin, size: fromDecimal(size!), root: fromBase64(root!) };
  if (head.root.length !== HASH_BYTES) {
    throw new Problem('log-checkpoint-invalid', `the root has ${head.root.length} bytes, not ${HASH_BYTES}`);
  }
  return head;
}

/** Signs a head of the log at a POSIX time in seconds, above 0. */
export function signCheckpoint(hasher: Hasher, head: TreeHead, seconds: number, signers: LogSigners): Uint8Array {
  const text = formatHead(head);
  const signatures = CHECKPOINT_LINES.map((algorithm) =>
    algorithm === 'ed25519'
      ? signText(hasher, head.origin, signers.ed25519, text)
      : cosign(hasher, head.origin, signers[algorithm], head, seconds),
  );
  return formatNote({ text, signatures });
}

/**
 * Checks a checkpoint of the log `origin`. Refuses `log-checkpoint-invalid` when a post-quantum line is missing or the
 * log's lines do not agree on the time, `signature-invalid` when a line by a key of the log does not verify, and what
 * `parseNote` and `parseHead` refuse.
 */
export function verifyCheckpoint(engine: Engine, bytes: Uint8Array, origin: string, keys: LogKeys): VerifiedCheckpoint {
  const note = parseNote(bytes);
  const head = parseHead(note.text);
  if (head.origin !== origin) {
    throw new Problem('log-checkpoint-invalid', `the checkpoint is of another log than ${origin}`);
  }
  const times = new Set<number>();
  const held = CHECKPOINT_LINES.filter((algorithm) => {
    const key = { name: origin, algorithm, publicKey: keys[algorithm] };
    const lines = signaturesOf(engine, note, key);
    for (const line of lines) {
      if (algorithm === 'ed25519') verifyText(engine, key, note.text, line);
      else times.add(verifyCosignature(engine, key, head, line));
    }
    return lines.length > 0;
  });
  const missing = REQUIRED.find((algorithm) => !held.includes(algorithm));
  if (missing) throw new Problem('log-checkpoint-invalid', `no ${missing} line of ${origin} stands under it`);
  const [seconds = 0, ...others] = times;
  if (seconds === 0 || others.length > 0) {
    throw new Problem('log-checkpoint-invalid', `the lines of ${origin} give the times ${[...times].join(' and ')}`);
  }
  return { head, seconds, held, note };
}
