/**
 * Cosignatures on their way to the relay: `inbox/<SHA-256 of the origin>/<size>.cosig`, a whole checkpoint with the
 * relay's lines and that of the archive (C2SP tlog-cosignature). The archive signs only what it holds in full.
 */
import { utf8 } from '../../protocol/bytes.ts';
import { parseHead } from '../../protocol/checkpoint.ts';
import { cosign } from '../../protocol/cosignature.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { formatNote, parseNote } from '../../protocol/note.ts';
import { noteKeyId } from '../../protocol/note-key.ts';
import { toHex } from '../../protocol/text.ts';
import { isComplete } from './archive-intake.ts';
import type { CosignerKey } from './cosigner-key.ts';
import type { EpochFiles } from './epoch-files.ts';
import type { EpochFile } from './layout.ts';

/** A file of the inbox. */
export interface CosignatureFile {
  readonly file: Extract<EpochFile, { kind: 'cosignature' }>;
  readonly origin: string;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/**
 * The cosigned newest head of an epoch of the archive, which was checked when it was taken in; the one of before when the
 * archive signed that head already; null when a record under it is missing or there is no head.
 */
export function cosignNewest(
  engine: Engine,
  folder: EpochFiles,
  { name, key }: CosignerKey,
  seconds: number,
): CosignatureFile | null {
  const size = folder.headSizes.at(-1);
  if (size === undefined || !isComplete(folder, size)) return null;
  const { text, signatures } = parseNote(folder.read({ kind: 'head', size })!);
  const head = parseHead(text);
  const file = { kind: 'cosignature', originHash: toHex(engine.sha256(utf8(head.origin))), size } as const;
  const known = folder.read(file);
  const id = noteKeyId(engine, { name, algorithm: key.algorithm, publicKey: key.publicKey });
  const others = signatures.filter((line) => line.name !== name || line.keyId !== id);
  const isKnown = known && parseNote(known).signatures.some((line) => line.name === name && line.keyId === id);
  const bytes = isKnown
    ? known
    : formatNote({ text, signatures: [...others, cosign(engine, name, key, head, seconds)] });
  return { file, origin: head.origin, size, bytes };
}
