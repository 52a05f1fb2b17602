/** The proof of uniform traffic on wires of its own. Timings are printed and never judged: the machine may be busy. */
import { existsSync } from 'node:fs';
import t from 'tap';
import { INTERVAL_MS, prove, roundsFor, STANDARD_SLOTS, WHOLE_SLOTS } from './proof.ts';
import { whyNoProof } from './requirements.ts';
import { KINDS } from './scenes.ts';
import { judge } from './verdict.ts';

t.setTimeout(355_000);

t.test('nobody on the wire tells an eventful slot from a quiet one', { skip: whyNoProof() }, async (t) => {
  const directory = t.testdir();
  const rounds = roundsFor(STANDARD_SLOTS);
  const proof = await prove(t, { directory, intervalMs: INTERVAL_MS, rounds, say: (progress) => t.comment(progress) });
  const verdict = judge(proof);
  for (const { name, auc, aucBound, paired } of verdict.captures) {
    t.comment(`${name}: AUC ${auc}, bound ${aucBound}; ${JSON.stringify(paired)}`);
  }
  t.ok(verdict.controlAuc > 0.9, `the naive sender is found: AUC ${verdict.controlAuc}`);
  t.same(verdict.faults, []);
  t.equal(verdict.verdict, 'ok');
  t.equal(verdict.treeGrowthVariance, 0, `${proof.heads.length} heads`);
  t.ok(verdict.slots >= STANDARD_SLOTS, `${verdict.slots} slots`);
  for (const [name, { slots, values }] of Object.entries(proof.invariants)) {
    t.ok(slots >= (KINDS.length - 1) * WHOLE_SLOTS, `${name}: ${slots} whole slots`);
    t.comment(`${name}: ${JSON.stringify(values)}`);
  }
  for (const kind of ['svg', 'png']) t.ok(existsSync(`${directory}/wire.${kind}`), `a picture as ${kind}`);
});
