import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ENDED_ENTRIES, ENTRY_BYTES, EndedFile, type EndedTransfer } from '../../relay/store/ended-file.ts';
import { writeAt } from '../../relay/store/slot-file.ts';
import {
  BOOT,
  COMMIT,
  CONTENT,
  change,
  ID,
  OTHER,
  READER,
  SENDER,
  SESSION,
  start,
  submit,
} from '../fixtures/small-store.ts';

/** Submits, reads and acknowledges the one block in a process of its own. */
function readOnce(folder: string): void {
  const first = start(folder);
  submit(first);
  first.deliveries.claim(1, READER, SESSION, 4)!.release();
  first.deliveries.ack(2, READER, ID, COMMIT);
  first.store.close();
}

t.test('what was read stays known over a crash, so that a submit of it again brings it back to nobody', async (t) => {
  const folder = t.testdir();
  readOnce(folder);
  const next = start(folder, { now: 3, epoch: 2 });
  t.equal(next.store.epoch[0], 1, 'nothing was lost, so the epoch goes on');
  t.same(next.deliveries.repeated(3, SENDER, CONTENT), { transferId: ID, repeated: true });
  t.match(next.deliveries.status(3, SENDER, ID), { state: 'delivered', views: [] });
  submit(next);
  t.equal(next.deliveries.claim(3, OTHER, SESSION, 4), undefined);
  next.store.close();
  const late = start(folder, { now: 600_002 });
  t.equal(late.deliveries.repeated(600_002, SENDER, CONTENT), undefined, 'for ten minutes');
  late.store.close();
});

t.test('what its sender took back stays so, when a crash comes between the note of it and the burning', async (t) => {
  const folder = t.testdir();
  let writesLeft = Number.POSITIVE_INFINITY;
  const first = start(folder, {
    write(fd, bytes, position) {
      if (writesLeft-- <= 0) throw new Error('killed');
      writeAt(fd, bytes, position);
    },
  });
  submit(first);
  writesLeft = 1; // the note
  t.throws(() => first.deliveries.remove(1, SENDER, ID), { message: 'killed' });
  first.store.close();
  const next = start(folder, { now: 2 });
  t.equal(next.deliveries.claim(2, READER, SESSION, 4), undefined);
  t.match(next.deliveries.status(2, SENDER, ID), { state: 'deleted' });
  t.same(next.store.count(), { free: 1, used: 0, burning: 0 });
  next.store.close();
});

t.test('a file of ends that is damaged, of another boot or of another size is not believed', async (t) => {
  const entry = 2 * ENTRY_BYTES; // the first one written
  type Case = [name: string, spoil: (file: string) => void, boot: Uint8Array, epoch: number];
  const cases: readonly Case[] = [
    ['a damaged entry', (file) => change(file, entry + 50), BOOT, 1],
    ['a damaged head', (file) => change(file, 40), BOOT, 2],
    ['another boot', () => {}, new Uint8Array(16), 2],
    ['another size', (file) => truncateSync(file, entry), BOOT, 2],
    ['an entry in another place', (file) => move(file, entry, 5 * ENTRY_BYTES), BOOT, 1],
  ];
  for (const [name, spoil, boot, epoch] of cases) {
    await t.test(name, async (t) => {
      const folder = t.testdir();
      readOnce(folder);
      spoil(join(folder, 'ended'));
      const next = start(folder, { boot, epoch: 2, now: 3 });
      t.equal(next.store.epoch[0], epoch);
      t.equal(next.deliveries.repeated(3, SENDER, CONTENT), undefined);
      next.store.close();
    });
  }
});

t.test('the file of ends goes round', async (t) => {
  const path = join(t.testdir(), 'ended');
  const open = () => new EndedFile({ path, bootId: BOOT, newEpoch: BOOT, write: writeAt });
  const ended = (number: number): EndedTransfer => ({
    id: number.toString(16).padStart(32, '0'),
    sender: SENDER,
    hash: 'cd'.repeat(32),
    end: { state: 'expired', atMs: number },
  });
  const first = open();
  for (let i = 0; i < ENDED_ENTRIES + 3; i++) first.add(ended(i));
  first.close();
  const second = open();
  t.equal(second.found.length, ENDED_ENTRIES);
  t.same(second.found[0], ended(3));
  t.same(second.found.at(-1), ended(ENDED_ENTRIES + 2));
  second.add(ended(1));
  second.close();
  const third = open();
  t.same(third.found[0], ended(4));
  t.same(third.found.at(-1), ended(1));
  third.close();
});

function move(file: string, from: number, to: number): void {
  const bytes = readFileSync(file);
  bytes.copyWithin(to, from, from + ENTRY_BYTES);
  bytes.fill(0, from, from + ENTRY_BYTES);
  writeFileSync(file, bytes);
}
