/** Checks what archives signed: cosignatures on their way in `inbox/`, and their lines under the heads of an export. */
import { utf8 } from '../../protocol/bytes.ts';
import { verifyCheckpoint } from '../../protocol/checkpoint.ts';
import { type TreeHead, verifyCosignature } from '../../protocol/cosignature.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { type Note, parseNote } from '../../protocol/note.ts';
import { type NoteKey, signaturesOf } from '../../protocol/note-key.ts';
import { Problem } from '../../protocol/problem.ts';
import { toHex } from '../../protocol/text.ts';
import type { Findings } from './findings.ts';
import type { Expectation } from './leaf-check.ts';
import { pathIn, type SignedEpoch } from './signed-epoch.ts';

/** A root that an archive signed for, and the epoch that must have it. */
export interface Cosigned extends Expectation {
  readonly origin: string;
}

/**
 * Checks that each file of an inbox is a head of an epoch that is here, with lines of cosigners that hold, and likewise the
 * lines of those cosigners under the heads. Without `cosigners` nobody knows whose lines they are, which is a notice.
 */
export function checkInbox(
  engine: Engine,
  epochs: readonly SignedEpoch[],
  cosigners: readonly NoteKey[],
  findings: Findings,
): Cosigned[] {
  const byHash = new Map(epochs.map((epoch) => [toHex(engine.sha256(utf8(epoch.origin))), epoch]));
  const cosigned: Cosigned[] = [];
  let unknown = 0;
  for (const { folder, place, origin, heads } of epochs) {
    for (const { file, checkpoint, size, root } of cosigners.length > 0 ? heads : []) {
      findings.attempt(file, () => vouching(engine, cosigners, { origin, size, root }, parseNote(checkpoint)));
    }
    for (const which of folder.cosignatures) {
      const file = pathIn(place, which);
      const owner = byHash.get(which.originHash);
      if (!owner) {
        findings.note(`${file} is of an epoch that is not here`);
        continue;
      }
      const head = findings.attempt(file, () => {
        const { head, note } = verifyCheckpoint(engine, folder.read(which)!, owner.origin, owner.keys);
        if (head.size !== which.size) {
          throw new Problem('log-export-invalid', `it is of size ${head.size}, its name says ${which.size}`);
        }
        const newest = owner.heads.at(-1)?.size ?? 0;
        if (head.size > newest) {
          throw new Problem(
            'log-rolled-back',
            `an archive holds ${head.size} leaves, the newest head here has ${newest}`,
          );
        }
        const held = vouching(engine, cosigners, head, note);
        if (cosigners.length === 0) unknown += 1;
        else if (held === 0) throw foreign(note, owner.origin);
        return head;
      });
      if (head) cosigned.push({ ...head, file, code: 'log-forked' });
    }
  }
  if (unknown > 0) findings.note(`${unknown} cosignatures in inbox/: whose they are takes --cosigner-key`);
  return cosigned;
}

/** How many of the cosigners have a line that holds; refuses `signature-invalid` for one that does not. */
function vouching(engine: Engine, cosigners: readonly NoteKey[], head: TreeHead, note: Note): number {
  const held = cosigners.filter((key) => {
    const lines = signaturesOf(engine, note, key);
    for (const line of lines) verifyCosignature(engine, key, head, line);
    return lines.length > 0;
  });
  return held.length;
}

function foreign({ signatures }: Note, origin: string): Problem {
  const names = signatures.map(({ name }) => name).filter((name) => name !== origin);
  const whose = names.length > 0 ? `of ${names.join(', ')}` : 'of nobody but the relay';
  return new Problem(
    'signature-invalid',
    `a foreign cosignature: it has lines ${whose}, none by a key of --cosigner-key`,
  );
}
