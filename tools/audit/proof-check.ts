/** Checks the proof files of an epoch: `proofs/*.tlog-proof` and `consistency/*.add-checkpoint`. */
import { parseAddCheckpoint, verifyAddCheckpoint } from '../../protocol/add-checkpoint.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { leafHash, rootOf } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { parseTlogProof, verifyTlogProof } from '../../protocol/tlog-proof.ts';
import { folderReader } from './epoch-tiles.ts';
import type { Findings } from './findings.ts';
import type { EpochFile } from './layout.ts';
import type { Expectation } from './leaf-check.ts';
import { pathIn, type SignedEpoch } from './signed-epoch.ts';

/**
 * Checks that each proof leads to the checkpoint in it, and that to the keys of the epoch. Gives the roots that the tree
 * must have for the proofs to be about this log.
 */
export function checkProofs(engine: Engine, epoch: SignedEpoch, findings: Findings): Expectation[] {
  const { folder, place, origin, keys, heads } = epoch;
  const newest = heads.at(-1)?.size ?? 0;
  const expectations: Expectation[] = [];
  const readerUpTo = (size: number) => {
    if (size <= newest) return folderReader(engine, folder, newest);
    throw new Problem('proof-invalid', `it is about ${size} leaves, the newest head has ${newest}`);
  };
  const check = (which: EpochFile, verify: (bytes: Uint8Array) => { size: number; root: Uint8Array }): void => {
    const file = pathIn(place, which);
    const head = findings.attempt(file, () => verify(folder.read(which)!));
    if (head) expectations.push({ size: head.size, root: head.root, file, code: 'proof-invalid' });
  };
  for (const index of folder.proofIndices) {
    check({ kind: 'proof', index }, (bytes) => {
      const proof = parseTlogProof(bytes);
      if (proof.index !== index) throw new Problem('log-export-invalid', `the proof is of leaf ${proof.index}`);
      const leaf = proof.extra ? leafHash(engine, proof.extra) : readerUpTo(index + 1)(0, index);
      return verifyTlogProof(engine, proof, leaf, origin, keys).head;
    });
  }
  for (const growth of folder.growths) {
    const { from, to } = growth;
    check(growth, (bytes) => {
      const body = parseAddCheckpoint(bytes);
      const known = heads.find(({ size }) => size === from);
      const oldRoot = known?.root ?? rootOf(engine, readerUpTo(from), from);
      const { head } = verifyAddCheckpoint(engine, body, oldRoot, origin, keys);
      if (body.oldSize !== from || head.size !== to) {
        throw new Problem('log-export-invalid', `the proof is from ${body.oldSize} to ${head.size}`);
      }
      return head;
    });
  }
  return expectations;
}
