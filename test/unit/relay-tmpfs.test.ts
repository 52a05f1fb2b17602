import { chmodSync, existsSync, mkdtempSync, readFileSync, rmdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { didOf } from '../../protocol/identity.ts';
import { lockFolder, readBootId, requireRamFolder } from '../../relay/store/ram-folder.ts';
import { type WriteAt, writeAt } from '../../relay/store/slot-file.ts';
import { encodeRecord, parseRecord, RECORD_BYTES, type SlotRecord } from '../../relay/store/slot-record.ts';
import { newView } from '../../relay/store/transfer.ts';
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
  sha256,
  start,
  submit,
} from '../fixtures/small-store.ts';

function fullRecord(): SlotRecord {
  const views = Array.from({ length: 256 }, (_, i) => newView(didOf(sha256(Buffer.from([i]))), COMMIT));
  Object.assign(views[0]!, { state: 'leased', taken: true, session: SESSION, leaseEndsMs: 12.5, attempts: 3 });
  Object.assign(views[1]!, { state: 'rejected', taken: true, rejectCode: 'incomplete' });
  const transfer = {
    id: 'ab'.repeat(16),
    sender: SENDER,
    hash: 'cd'.repeat(32),
    viewLimit: 200,
    burnAtClaim: true,
    expiresMs: 99.125,
    views: new Map(views.map((view) => [view.recipient, view])),
  };
  return { sequence: 5, bootId: BOOT, state: 'stored', held: { order: 3, transfer } };
}

t.test('a record of 256 views is read as it was written', async (t) => {
  const bytes = encodeRecord(fullRecord());
  t.equal(bytes.length, RECORD_BYTES);
  t.same(parseRecord(bytes), fullRecord());
  t.same(encodeRecord(parseRecord(bytes)), bytes);
});

t.test('a record with any byte damaged is refused', async (t) => {
  const bytes = encodeRecord(fullRecord());
  let refused = 0;
  for (let at = 0; at < bytes.length; at++) {
    bytes[at]! ^= 1;
    try {
      parseRecord(bytes);
    } catch {
      refused += 1;
    }
    bytes[at]! ^= 1;
  }
  t.equal(refused, bytes.length);
});

t.test('a record with a right hash and wrong content is refused', async (t) => {
  const wrong: readonly [at: number, value: number, fact: RegExp][] = [
    [32, 0, /GPS1/],
    [60, 4, /state 4 is unknown/],
    [61, 2, /unknown bits/],
    [63, 0, /views are not within/],
    [162 + 64, 9, /view state 9/],
    [162 + 65, 0, /a session stands/],
    [162 + 94, 9, /reject code 8/],
    [RECORD_BYTES - 1, 1, /bytes follow/],
  ];
  for (const [at, value, detail] of wrong) {
    const bytes = encodeRecord(fullRecord());
    bytes[at] = value;
    bytes.set(sha256(bytes.subarray(32)));
    t.throws(() => parseRecord(bytes), { code: 'file-invalid', detail }, String(detail));
  }
  for (const at of [146, 162 + 82]) {
    const farAway = encodeRecord(fullRecord());
    farAway.set([0, 0x1f, 255, 255, 255, 255, 255, 255], at);
    farAway.set(sha256(farAway.subarray(32)));
    t.throws(() => parseRecord(farAway), { code: 'file-invalid', detail: /too far away/ });
  }
  const twice = encodeRecord(fullRecord());
  twice.copyWithin(162 + 95, 162, 162 + 95);
  twice.set(sha256(twice.subarray(32)));
  t.throws(() => parseRecord(twice), { code: 'file-invalid', detail: /stands twice/ });
});

/**
 * What the next process finds when the last one died at its n-th write. `lost`: nothing of the write was kept; `torn`:
 * its first bytes; `kept`: all of it. Writes are in their order.
 */
const MATRIX: readonly [step: string, lost: string, torn: string, kept: string][] = [
  ['receiving', 'none', 'none', 'none'],
  ['block', 'none', 'none', 'none'],
  ['stored', 'none', 'none', 'waiting'],
  ['leased', 'waiting', 'waiting', 'leased'],
  ['acked', 'leased', 'leased', 'none'],
  ['remembered', 'none', 'none', 'none'],
  ['burning', 'none', 'none', 'none'],
  ['overwritten', 'none', 'none', 'none'],
  ['free', 'none', 'none', 'none'],
];

/** Runs a life of one block whose n-th write fails, and says what the next process has. */
function afterCrash(folder: string, step: number, kept: (bytes: Uint8Array) => number): string {
  let writes = Number.POSITIVE_INFINITY;
  const write: WriteAt = (fd, bytes, position) => {
    if (writes-- > 0) return writeAt(fd, bytes, position);
    writeAt(fd, bytes.subarray(0, kept(bytes)), position);
    throw new Error('crash');
  };
  const first = start(folder, { write });
  writes = step;
  try {
    submit(first);
    first.deliveries.claim(1, READER, SESSION, 4)!.release();
    first.deliveries.ack(2, READER, ID, COMMIT);
  } catch (error) {
    if ((error as Error).message !== 'crash') throw error;
  }
  first.store.close();
  const second = start(folder, { now: 2 });
  const report = second.deliveries.status(2, SENDER, ID);
  const stranger = second.deliveries.claim(2, OTHER, SESSION, 4);
  const state = report && !report.state.match(/deliver/) ? report.state : 'none';
  stranger?.release();
  const wiped = second.store.memory().every((slot) => slot.every((byte) => byte === 0));
  second.store.close();
  if (state === 'none' && !wiped) return 'bytes remain';
  return (stranger !== undefined) === (state === 'waiting') ? state : 'a view given twice';
}

t.test('each write of a block, lost, torn or kept by a crash', async (t) => {
  const base = t.testdir(Object.fromEntries(MATRIX.flatMap(([s]) => ['l', 't', 'k'].map((k) => [`${s}-${k}`, {}]))));
  for (const [index, [step, lost, torn, kept]] of MATRIX.entries()) {
    t.equal(
      afterCrash(join(base, `${step}-l`), index, () => 0),
      lost,
      `${step}, lost`,
    );
    t.equal(
      afterCrash(join(base, `${step}-t`), index, (bytes) => Math.min(80, bytes.length / 2)),
      torn,
      `${step}, torn`,
    );
    t.equal(
      afterCrash(join(base, `${step}-k`), index, (bytes) => bytes.length),
      kept,
      `${step}, kept`,
    );
  }
});

/** A folder with one leased block, left by a process that died. */
function leftBehind(t: Test): string {
  const folder = t.testdir();
  const first = start(folder);
  submit(first);
  first.deliveries.claim(1, READER, SESSION, 4);
  first.store.close();
  return folder;
}

t.test('a lease stays with its reader and session until it ends, and a submit stays idempotent', async (t) => {
  const folder = leftBehind(t);
  const next = start(folder, { now: 500 });
  t.equal(next.deliveries.claim(500, READER, SESSION, 4), undefined, 'this session has it');
  t.match(next.deliveries.repeated(500, SENDER, CONTENT), { repeated: true });
  t.match(next.deliveries.claim(1001, READER, SESSION, 4), { attempt: 2 });
  t.same(next.findings, []);
  next.store.close();
  const late = start(folder, { now: 5000 });
  t.same(late.store.count(), { free: 1, used: 0, burning: 0 }, 'its time to live passed meanwhile');
  late.store.close();
});

t.test('what cannot be kept is destroyed, with the reason', async (t) => {
  type Case = [name: string, spoil: (file: string) => void, options: object, used: number, fact: RegExp];
  const cases: readonly Case[] = [
    ['another boot', () => {}, { boot: new Uint8Array(16) }, 0, /of another boot/],
    ['another block size', () => {}, { blockBytes: 128 }, 0, /49216 bytes, expected 49280/],
    ['a damaged block', (file) => change(file, 2 * RECORD_BYTES), {}, 0, /does not have its hash/],
    ['a damaged older copy', (file) => change(file, 40), {}, 1, /copy 0: the hash/],
    ['a damaged newer copy', (file) => change(file, RECORD_BYTES + 40), {}, 1, /copy 1: the hash/],
  ];
  for (const [name, spoil, options, used, fact] of cases) {
    await t.test(name, async (t) => {
      const folder = leftBehind(t);
      spoil(join(folder, 'slot-0000'));
      const { store, findings } = start(folder, { ...options, epoch: 2 });
      t.equal(store.count().used, used);
      t.equal(store.epoch[0], used === 1 ? 1 : 2, 'the epoch ends with a block that is lost');
      t.match(findings.join('\n'), fact);
      store.close();
    });
  }
});

t.test('a folder for blocks is in memory, private, without swap, and of one relay', async (t) => {
  const directory = t.testdir({ none: '', swaps: 'Filename\tType\n/dev/sda2 partition\n' });
  const none = join(directory, 'none');
  const disk = statfsSync(directory).type !== 0x01021994;
  if (disk) t.throws(() => requireRamFolder(directory, none), { code: 'store-not-ram' });
  t.throws(() => requireRamFolder(none, none), { code: 'store-failed', detail: /no folder/ });
  t.throws(() => requireRamFolder(join(directory, 'a', 'b'), none), { code: 'store-failed', detail: /ENOENT/ });
  const unlock = lockFolder(directory);
  t.throws(() => lockFolder(directory), { code: 'store-in-use' });
  t.equal(statSync(join(directory, 'lock')).mode & 0o777, 0o600, 'nobody else can hold it');
  t.notMatch(readFileSync('/proc/net/unix', 'utf8'), 'ghostpipe-store', 'nor a name that stands for it');
  unlock();
  lockFolder(directory)();
  t.throws(() => lockFolder(none), { code: 'store-failed', detail: /ENOTDIR/ });
  t.equal(readBootId().length, 16);
  if (!existsSync('/dev/shm') || statfsSync('/dev/shm').type !== 0x01021994) {
    return t.not(process.getuid?.(), 0, 'the rest needs a tmpfs at /dev/shm');
  }
  const folder = mkdtempSync('/dev/shm/ghostpipe-test-');
  t.teardown(() => rmdirSync(folder));
  requireRamFolder(folder, none);
  t.throws(() => requireRamFolder(folder, join(directory, 'swaps')), { code: 'swap-on', detail: /sda2/ });
  chmodSync(folder, 0o750);
  t.throws(() => requireRamFolder(folder, none), { code: 'permissions-open', detail: /mode 750/ });
});
