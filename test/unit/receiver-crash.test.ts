/**
 * A receiver that dies at any change of its disk, between any two steps of a block: after a restart nothing is lost and
 * nothing is there twice, whether its blocks come again as they were or packed anew.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ControlItem } from '../../protocol/control.ts';
import { encodeFileChunk } from '../../protocol/payload.ts';
import { FolderSink } from '../../tools/receiver/folder-sink.ts';
import type { Intake } from '../../tools/receiver/intake.ts';
import { StreamMarks } from '../../tools/receiver/stream-marks.ts';
import { dyingAt } from '../fixtures/breaking-disk.ts';
import { lease, makeReceiver, type Receiver, receiptIn, records, seal, summary, TRANSFER } from '../fixtures/intake.ts';

t.setTimeout(120_000);

const PARTS = ['one,', 'two,', 'end'];
const WHOLE = PARTS.join('');

/** Starts a receiver over `folder`, as a new process would. */
function start(receiver: Receiver, folder: string): Intake {
  const sink = new FolderSink({
    root: join(folder, 'out'),
    journal: join(folder, 'state', 'journal'),
    now: () => 0,
    onProgress: () => {},
    quarantine: () => false,
  });
  const marks = new StreamMarks(join(folder, 'state', 'receiver'));
  return receiver.intake({ sink, marks, waitForSink: async () => false });
}

/** The block with one part of a file. */
function chunk(receiver: Receiver, index: number): Uint8Array {
  const wholeSha256 = new Uint8Array(createHash('sha256').update(WHOLE).digest());
  const group = { id: TRANSFER, index, count: PARTS.length, wholeSha256 };
  const plain = encodeFileChunk({ name: 'recipe.csv', bytes: Buffer.from(PARTS[index]!) });
  return seal(
    receiver,
    { type: 'fileChunk', blockSeq: 2 + index, firstRecord: 5 + index, recordCount: 1, group },
    plain,
  );
}

/** Readings that stand in the folder, and nothing half written beside them. */
function readingsIn(t: Test, folder: string): string[] {
  const path = join(folder, 'out', 'plc', 'readings');
  if (!existsSync(path)) return [];
  const names = readdirSync(path).filter((name) => !name.startsWith('.'));
  return names.flatMap((name) => {
    t.match(name, /\.jsonl$/);
    const lines = readFileSync(join(path, name), 'utf8').trimEnd().split('\n');
    return lines.map((line) => (JSON.parse(line) as { data: string }).data);
  });
}

function filesIn(folder: string): Record<string, string> {
  const path = join(folder, 'out', 'plc', 'files');
  const names = existsSync(path) ? readdirSync(path) : [];
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(path, name), 'utf8')]));
}

function isAcked(items: readonly ControlItem[]): boolean {
  return summary(items).startsWith('ack');
}

t.test('killed before any change of the disk, then the same blocks again', async (t) => {
  const receiver = makeReceiver(t);
  receiver.directory.acceptPeer(receiver.plc.did, receiver.plc.registration);
  const blocks = [
    records(receiver, 0, [0, 1, 2]),
    records(receiver, 1, [3, 4]),
    ...PARTS.map((_, i) => chunk(receiver, i)),
  ];
  let deaths = 0;
  for (let isOver = false; !isOver; ) {
    const folder = join(receiver.folder, 'again');
    mkdirSync(folder);
    const waiting = [...blocks];
    const takeAll = async (): Promise<void> => {
      const intake = start(receiver, folder);
      for (const block of [...waiting]) {
        if (!isAcked(await intake.take(block, lease(block)))) throw new Error('not taken');
        waiting.shift();
      }
    };
    isOver = await dyingAt(deaths + 1, takeAll);
    readingsIn(t, folder);
    t.ok(
      Object.values(filesIn(folder)).every((text) => text === WHOLE),
      'no half file is seen',
    );
    if (!isOver) deaths += 1;
    await takeAll();
    t.strictSame(readingsIn(t, folder).sort(), ['0', '1', '2', '3', '4'], `killed before change ${deaths}`);
    t.strictSame(filesIn(folder), { 'recipe.csv': WHOLE }, `killed before change ${deaths}`);
    const [group] = readdirSync(join(folder, 'out', '.incoming'));
    t.strictSame(readdirSync(join(folder, 'out', '.incoming', group!)), ['whole']);
    rmSync(folder, { recursive: true });
  }
  t.ok(deaths > 60, `${deaths} places to die`);
});

t.test('killed before any change of the disk, then the records packed anew', async (t) => {
  const receiver = makeReceiver(t);
  receiver.directory.acceptPeer(receiver.plc.did, receiver.plc.registration);
  const blocks = [records(receiver, 0, [0, 1, 2]), records(receiver, 1, [3, 4])];
  const packedAnew = new Map<number, readonly Uint8Array[]>([
    [0, [records(receiver, 2, [1, 2, 3, 4]), records(receiver, 3, [0])]],
    [3, [records(receiver, 2, [4]), records(receiver, 3, [3])]],
    [5, []],
  ]);
  let deaths = 0;
  for (let isOver = false; !isOver; ) {
    const folder = join(receiver.folder, 'anew');
    mkdirSync(folder);
    let confirmed = 0; // what the sender has a receipt of
    isOver = await dyingAt(deaths + 1, async () => {
      const intake = start(receiver, folder);
      for (const block of blocks) {
        const items = await intake.take(block, lease(block));
        if (!isAcked(items)) throw new Error('not taken');
        confirmed = receiptIn(items, receiver.historian).nextRecord;
      }
    });
    if (!isOver) deaths += 1;
    const intake = start(receiver, folder);
    for (const block of packedAnew.get(confirmed)!) t.ok(isAcked(await intake.take(block, lease(block))));
    t.strictSame(readingsIn(t, folder).sort(), ['0', '1', '2', '3', '4'], `killed before change ${deaths}`);
    rmSync(folder, { recursive: true });
  }
  t.ok(deaths > 25, `${deaths} places to die`);
});
