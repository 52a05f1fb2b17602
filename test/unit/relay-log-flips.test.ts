/** One bit flips in memory: it is noticed before a head is signed over it, and the log goes on in another epoch. */
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { EpochTree } from '../../relay/log/epoch-tree.ts';
import { ADOPTED, startAudit, verifyAll } from '../fixtures/audit.ts';
import { seed } from '../fixtures/protocol.ts';

/** Flips a bit of a leaf's hash in the tile that the newest epoch keeps. */
function flipLeaf({ sequencer }: ReturnType<typeof startAudit>, index: number): void {
  const epoch = sequencer.epochs.at(-1)!;
  const place = index % 256;
  const tile = epoch.tile({ level: 0, index: Math.floor(index / 256), width: place + 1 })!;
  tile[32 * place]! ^= 1;
}

t.test('in a tile: the proof from the head before does not verify, so nothing is signed', async (t) => {
  const audit = startAudit();
  const { sequencer, pass, findings } = audit;
  await pass(0);
  for (let i = 0; i < 64; i++) sequencer.record(ADOPTED);
  await pass(30_000);
  flipLeaf(audit, 64);
  for (let i = 0; i < 40; i++) sequencer.record(ADOPTED);
  await pass(30_000);
  await pass(0);
  const [hit, next] = sequencer.epochs;
  t.match(findings, [/^a head of the audit log is not signed: /]);
  t.same(
    hit!.heads.map(({ size }) => size),
    [1, 65],
    'no head over the flipped bit',
  );
  t.match(next!.heads.length, 1);
  await sequencer.close();
  t.match(verifyAll(t, next!), [
    { act: 'log.epoch.open', obj: { prev: { origin: hit!.origin, lastSignedSize: 65, tailSize: 105 } } },
    { act: 'log.selfcheck.failed', obj: { origin: hit!.origin, size: 105 } },
    { act: 'log.epoch.close' },
  ]);
});

t.test('in a tile of a bundle that is sealed: it is not, and the record stands in the next epoch', async (t) => {
  const audit = startAudit();
  const { sequencer, pass, findings } = audit;
  for (let i = 0; i < 100; i++) sequencer.record(ADOPTED);
  await pass(30_000);
  flipLeaf(audit, 50);
  for (let i = 0; i < 154; i++) sequencer.record(ADOPTED);
  t.same(findings, []);
  const { origin, index } = sequencer.record(ADOPTED);
  t.match(findings, [/does not have the hashes of its tile/]);
  t.same([origin, index], [sequencer.epochs[1]!.origin, 2], 'behind the word on what failed');
  await pass(30_000);
  t.equal(sequencer.epochs[1]!.heads.at(-1)!.size, 3);
});

t.test('in a record that waits for its bundle', async (t) => {
  const tree = new EpochTree(engine, null);
  const entries = Array.from({ length: 256 }, (_, i) => new Uint8Array(seed(`record ${i}`)));
  for (const entry of entries.slice(0, 255)) tree.append(entry);
  entries[7]![3]! ^= 8;
  t.throws(() => tree.append(entries[255]!), { code: 'log-tile-invalid' });
});
