/**
 * Cosignatures: the word of an archive server that it holds the records under a head (C2SP tlog-cosignature). The head
 * comes back whole: the relay's own lines under it prove that it signed it, so the relay need not have kept it.
 */
import { CHECKPOINT_LINES, parseHead, verifyCheckpoint } from '../../protocol/checkpoint.ts';
import { verifyCosignature } from '../../protocol/cosignature.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { formatNote, type Note, type NoteSignature, parseNote } from '../../protocol/note.ts';
import { type NoteKey, parseVerifierKey, signaturesOf } from '../../protocol/note-key.ts';
import { Problem } from '../../protocol/problem.ts';
import type { Roster } from '../../protocol/roster.ts';
import type { KeptEpoch } from './kept-epoch.ts';

/** A head and who vouches for it. */
export interface Cosigned {
  readonly origin: string;
  readonly size: number;
  /** Key names of cosigners who did not vouch for as much before. */
  readonly news: readonly string[];
}

export class Cosignatures {
  readonly #engine: Engine;
  readonly #epochs: { readonly kept: readonly KeptEpoch[] };
  /** How many cosigners must hold a record before it may leave memory. */
  readonly #quorum: number;
  /** Greatest size that each cosigner vouched for, by origin and key name; of epochs that are kept. */
  readonly #sizes = new Map<string, Map<string, number>>();

  constructor(engine: Engine, epochs: { readonly kept: readonly KeptEpoch[] }, quorum: number) {
    this.#engine = engine;
    this.#epochs = epochs;
    this.#quorum = quorum;
  }

  /**
   * Takes a whole checkpoint with lines of cosigners of the roster under it. Refuses `log-missing` for an epoch that is
   * not kept, `log-forked` for a head that is not one of its tree, `signature-invalid` when no cosigner's line is there
   * or one does not verify, and what `verifyCheckpoint` refuses.
   */
  take(bytes: Uint8Array, cosigners: Roster['cosigners']): Cosigned {
    const { origin } = parseHead(parseNote(bytes).text);
    const epoch = this.#epochs.kept.find((each) => each.origin === origin);
    if (!epoch) throw new Problem('log-missing', `no epoch ${origin} is kept`);
    const { head, seconds, note } = verifyCheckpoint(this.#engine, bytes, origin, epoch.keys);
    const keys = this.#keysOf(cosigners);
    const lines = keys.flatMap((key) =>
      signaturesOf(this.#engine, note, key).map((line) => this.#checked(key, line, head)),
    );
    if (lines.length === 0)
      throw new Problem('signature-invalid', 'no line under the head is by a cosigner of the roster');
    epoch.keepCosigned({ ...head, seconds, checkpoint: this.#noteOf(note, epoch, lines) });
    return { origin, size: head.size, news: this.#count(epoch, head.size, lines, keys) };
  }

  /** The keys of cosigners. One that no version could have made, or only a later one, must not stop the others. */
  #keysOf(cosigners: Roster['cosigners']): NoteKey[] {
    return cosigners.flatMap(({ key }) => {
      try {
        return [parseVerifierKey(this.#engine, key)];
      } catch {
        return [];
      }
    });
  }

  #checked(key: NoteKey, line: NoteSignature, head: Parameters<typeof verifyCosignature>[2]): NoteSignature {
    verifyCosignature(this.#engine, key, head, line);
    return line;
  }

  /** The note with the relay's lines and those that were checked: whatever else stood under it is not handed on. */
  #noteOf(note: Note, { origin, keys, cosignedHead }: KeptEpoch, lines: readonly NoteSignature[]): Uint8Array {
    const own = CHECKPOINT_LINES.flatMap((algorithm) =>
      signaturesOf(this.#engine, note, { name: origin, algorithm, publicKey: keys[algorithm] }),
    );
    const known = cosignedHead ? parseNote(cosignedHead.checkpoint) : null;
    const before = known?.text === note.text ? known.signatures : [];
    const all = new Map([...own, ...before, ...lines].map((line) => [`${line.name} ${line.keyId}`, line]));
    return formatNote({ text: note.text, signatures: [...all.values()] });
  }

  /** Counts whose word goes how far. That of who left the roster counts no more. */
  #count(epoch: KeptEpoch, size: number, lines: readonly NoteSignature[], keys: readonly NoteKey[]): string[] {
    const kept = new Set(this.#epochs.kept.map(({ origin }) => origin));
    for (const origin of this.#sizes.keys()) if (!kept.has(origin)) this.#sizes.delete(origin);
    const sizes = this.#sizes.get(epoch.origin) ?? new Map<string, number>();
    this.#sizes.set(epoch.origin, sizes);
    for (const left of sizes.keys()) if (!keys.some(({ name }) => name === left)) sizes.delete(left);
    const news = [...new Set(lines.map(({ name }) => name))].filter((name) => (sizes.get(name) ?? 0) < size);
    for (const name of news) sizes.set(name, size);
    const held = [...sizes.values()].sort((a, b) => b - a)[this.#quorum - 1];
    if (held !== undefined) epoch.savedBy('cosigned', held);
    return news;
  }
}
