/** Proofs that the relay owes for its log receipts: in which order, when they are ready, and what an end leaves. */
import t from 'tap';
import { type ControlItem, itemBytes } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { toHex } from '../../protocol/text.ts';
import type { LogView } from '../../relay/log/log-view.ts';
import { owedBefore } from '../../relay/log/owed-before.ts';
import { MAX_OWED_PROOFS, OwedProofs } from '../../relay/log/owed-proofs.ts';
import { adopted, startAudit } from '../fixtures/audit.ts';
import { seed } from '../fixtures/protocol.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';

const DEVICE = `did:paramant:z${'Q'.repeat(45)}`;
const READER = `did:paramant:z${'R'.repeat(45)}`;
const ROOM = 24_000;

type Log = ReturnType<typeof startAudit>;

function transfer(i: number): string {
  return toHex(seed(`transfer ${i}`).subarray(0, 16));
}

/** Records a transfer, and owes its proof. */
function give(owed: OwedProofs, log: Log, i: number): void {
  const { origin, index } = log.sequencer.record(adopted(transfer(i)));
  owed.owe(DEVICE, { origin, index, transferId: transfer(i) });
}

/** Each item by its type, or by its transfer when it has one. */
function names(items: readonly ControlItem[]): (string | number)[] {
  return items.map((item) => {
    if (item.type !== 'logProof' && item.type !== 'logTail') return item.type;
    return Array.from({ length: 20 }, (_, i) => i).find((i) => transfer(i) === toHex(item.transferId))!;
  });
}

t.test('a statement, then what heads cover, oldest first, once', async (t) => {
  const log = startAudit();
  const owed = new OwedProofs(engine, log.sequencer);
  t.same(owed.next(DEVICE, ROOM), [], 'nothing for who is owed nothing');
  for (let i = 0; i < 5; i++) give(owed, log, i);
  t.same(owed.next(DEVICE, ROOM), [], 'nothing before the first head');
  await log.pass(0);
  const seen = () => names(owed.next(DEVICE, ROOM));
  t.same([seen(), seen()], [['logEpoch'], []], 'the first one has the statement only');
  await log.pass(30_000);
  give(owed, log, 5);
  t.same([seen(), seen(), seen(), seen()], [[0, 1], [2, 3], [4], []], 'what no head covers waits');
  await log.pass(30_000);
  t.same([seen(), seen()], [[5], []]);
});

t.test('what does not fit comes with a later answer', async (t) => {
  const log = startAudit();
  const owed = new OwedProofs(engine, log.sequencer);
  await log.pass(0);
  for (let i = 0; i < 3; i++) give(owed, log, i);
  await log.pass(30_000);
  t.same(owed.next(DEVICE, 20_000), [], 'no proof before its statement');
  t.same(names(owed.next(DEVICE, ROOM)), ['logEpoch']);
  t.same([owed.next(DEVICE, -1), owed.next(DEVICE, 8000)], [[], []]);
  t.same(names(owed.next(DEVICE, 9000)), [0]);
  for (const item of owed.next(DEVICE, ROOM)) t.ok(itemBytes(item) < 9000);
});

t.test('what a lost answer brought comes again, and a statement to who registers', async (t) => {
  const log = startAudit();
  const owed = new OwedProofs(engine, log.sequencer);
  owed.claimed(DEVICE, 'first');
  await log.pass(0);
  for (let i = 0; i < 3; i++) give(owed, log, i);
  await log.pass(30_000);
  const seen = () => names(owed.next(DEVICE, ROOM));
  seen();
  t.same(seen(), [0, 1]);
  owed.claimed(DEVICE, 'first');
  t.same(seen(), [2], 'the same session lost nothing');
  owed.claimed(DEVICE, 'second');
  t.same([seen(), seen(), seen(), seen()], [['logEpoch'], [0, 1], [2], []]);
  owed.introduced(DEVICE);
  give(owed, log, 3);
  await log.pass(30_000);
  t.same([seen(), seen(), seen()], [['logEpoch'], [3], []]);
  owed.again(READER);
  t.same(owed.next(READER, ROOM), []);
});

t.test('who leaves the site is owed nothing', async (t) => {
  const log = startAudit();
  const owed = new OwedProofs(engine, log.sequencer);
  await log.pass(0);
  give(owed, log, 0);
  owed.enforce((did) => did === DEVICE);
  t.same(names(owed.next(DEVICE, ROOM)), ['logEpoch']);
  owed.enforce(() => false);
  await log.pass(30_000);
  t.same(owed.next(DEVICE, ROOM), []);
});

t.test('what waits is bounded, and what is no longer kept is let go', async (t) => {
  const log = startAudit();
  const owed = new OwedProofs(engine, log.sequencer);
  await log.pass(0);
  for (let i = 0; i < MAX_OWED_PROOFS + 2; i++) give(owed, log, i);
  await log.pass(30_000);
  t.same(names(owed.next(DEVICE, ROOM)), ['logEpoch']);
  t.same(names(owed.next(DEVICE, ROOM)), [2, 3], 'without the two oldest');
  let view: LogView = { mode: 'best-effort', epochs: log.sequencer.epochs };
  const gone = new OwedProofs(engine, {
    mode: 'best-effort',
    get epochs() {
      return view.epochs;
    },
  });
  give(gone, log, 0);
  give(gone, log, 1);
  await log.pass(30_000);
  const pruned = { ...log.sequencer.epochs[0]!, tile: () => undefined };
  const { origin, heads, isOpen, statement } = log.sequencer.epochs[0]!;
  view = { ...view, epochs: [{ ...pruned, origin, heads, isOpen, statement }] };
  t.same(gone.next(DEVICE, ROOM), []);
  view = { ...view, epochs: log.sequencer.epochs };
  t.same(gone.next(DEVICE, ROOM), [], 'for good');
  give(gone, log, 2);
  view = { ...view, epochs: [] };
  t.same(gone.next(DEVICE, ROOM), []);
});

t.test('an end leaves what its last head was the first to cover, and what none did', async (t) => {
  const folder = blocksFolder(t);
  const first = startAudit({ folder });
  await first.pass(0);
  const accept = (i: number): void => {
    const src = { id: DEVICE, k: 'device' } as const;
    const obj = { c: 'A'.repeat(43), route: '0'.repeat(32), views: 1, x: transfer(i) };
    first.sequencer.record({ act: 'transfer.accepted', obj, res: 'success', src });
  };
  accept(0);
  await first.pass(31_000);
  await first.pass(31_000);
  accept(1);
  first.sequencer.record(adopted(transfer(7)));
  for (let i = 0; i < 600; i++) first.sequencer.record(adopted(transfer(8)));
  for (const x of [transfer(1), transfer(9)]) {
    const src = { id: READER, k: 'device' } as const;
    first.sequencer.record({ act: 'transfer.release', obj: { attempt: 1, x }, res: 'success', src });
  }
  const second = startAudit({ folder });
  const [ended, open] = second.sequencer.epochs;
  const left = owedBefore(ended!);
  t.match(left, [
    { to: 'sender', did: DEVICE, transferId: transfer(1) },
    { to: 'reader', did: READER, transferId: transfer(1) },
  ]);
  t.equal(left.length, 2);
  const pruned = { ...open!, tail: ended!.tail, heads: ended!.heads, bundle: () => undefined };
  t.same(owedBefore(pruned), [], 'and nothing of what is no longer kept');
});
