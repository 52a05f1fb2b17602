/** What a receiver says of the course of a stream: holes, runs that do not follow, what comes again. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { encodeIdle } from '../../protocol/payload.ts';
import { encodeRun, NO_RUN } from '../../protocol/stream.ts';
import { toHex } from '../../protocol/text.ts';
import { Notices } from '../../tools/lib/notices.ts';
import { Continuity } from '../../tools/receiver/continuity.ts';
import { Quarantine } from '../../tools/receiver/quarantine.ts';
import { StreamMarks } from '../../tools/receiver/stream-marks.ts';
import { lease, makeReceiver, type Receiver, records, seal, TRANSFER } from '../fixtures/intake.ts';
import { seedOf } from '../fixtures/site.ts';

const IDLE = { sourceState: 'ok', backlogRecords: 0, backlogAgeMs: 0 } as const;

function run(number: number): Uint8Array {
  return encodeRun(number, seedOf(`run ${number}`));
}

/** A continuity whose notices are written down. */
function watched(t: Test) {
  const said: string[] = [];
  const clock = { ms: 0 };
  const notices = new Notices('test', () => clock.ms);
  notices.say = (sentence) => void said.push(sentence);
  const mark = new StreamMarks(t.testdir()).of(seedOf('sender'), seedOf('stream').subarray(0, 16));
  return { said, clock, mark, continuity: new Continuity(notices) };
}

t.test('a hole in the numbers of blocks is told apart from records that are missing', async (t) => {
  const { said, clock, mark, continuity } = watched(t);
  const marked = mark.runMark(run(1));
  const look = (firstRecord: number, idle: typeof IDLE | null = null): void => {
    clock.ms += 60_000;
    continuity.look('plc-A1', { firstRecord }, marked, idle);
  };
  marked.blocks.add(0, 1);
  marked.records.add(0, 17);
  look(0);
  t.strictSame(said, []);

  marked.blocks.add(2, 1); // a sender that was killed left a hole, and no record in it
  marked.records.add(17, 3);
  look(17);
  t.equal(said.at(-1), '1 block of the stream of plc-A1 is missing; no record is');

  marked.blocks.add(5, 1);
  marked.records.add(41, 1);
  look(41);
  t.equal(said.at(-1), '3 blocks and records 20 to 40 of the stream of plc-A1 are missing');
  t.match(continuity.counters, { missingBlocks: 3, missingRecords: 21 });

  marked.records.add(20, 20);
  look(20);
  t.equal(said.at(-1), '3 blocks and record 40 of the stream of plc-A1 are missing');
  marked.records.add(40, 1);
  look(40);
  t.equal(said.at(-1), '3 blocks of the stream of plc-A1 are missing; no record is');

  marked.blocks.add(0, 6);
  look(0);
  t.equal(said.at(-1), 'nothing of the stream of plc-A1 is missing any more');
  const before = said.length;
  look(0);
  t.equal(said.length, before);

  marked.blocks.add(6, 2);
  marked.records.add(100, 1); // the newest first, the backlog later: nothing is missing yet
  look(100);
  t.equal(said.length, before);
  look(101, { ...IDLE });
  t.equal(said.at(-1), 'records 42 to 99 of the stream of plc-A1 are missing', 'the sender has let go of all');
  t.match(continuity.counters, { missingBlocks: 0, missingRecords: 58 });
});

t.test('many holes are named by the first ones, and at most one notice a minute', async (t) => {
  const { said, clock, mark, continuity } = watched(t);
  const marked = mark.runMark(run(1));
  for (let i = 0; i < 10; i++) {
    marked.blocks.add(i * 2, 1);
    marked.records.add(i * 2, 1);
    continuity.look('plc-A1', { firstRecord: i * 2 }, marked, null);
  }
  t.strictSame(said, ['1 block and record 1 of the stream of plc-A1 are missing']);
  clock.ms = 60_000;
  continuity.look('plc-A1', { firstRecord: 18 }, marked, null);
  t.equal(said.at(-1), '9 blocks and records 1, 3, 5, 7 and 5 more of the stream of plc-A1 are missing');
});

t.test('runs: the next one, a late one, and those that do not follow', async (t) => {
  const { said, clock, mark, continuity } = watched(t);
  const begin = (number: number, previous: Uint8Array): string | undefined => {
    clock.ms += 60_000;
    const before = said.length;
    continuity.newRun('plc-A1', { run: run(number), previousRun: previous }, mark);
    mark.runMark(run(number));
    return said.slice(before)[0];
  };
  t.equal(begin(1, NO_RUN), undefined, 'the first');
  t.equal(begin(3, run(1)), undefined, 'the next');
  t.match(begin(7, run(5)), /plc-A1 goes on from a run that was never seen here/);
  t.equal(begin(5, run(3)), undefined, 'it only came late');
  t.match(begin(9, run(3)), /plc-A1 went back to an earlier state/);
  t.match(begin(11, NO_RUN), /plc-A1 began anew without the memory of its last run/);
  t.equal(continuity.counters.brokenRuns, 3);
});

t.test('duplicates and replays are said once a minute and all counted', async (t) => {
  const { said, continuity } = watched(t);
  for (let i = 0; i < 5; i++) {
    continuity.duplicate('plc-A1');
    continuity.replay('plc-A1');
  }
  t.equal(said.length, 2);
  t.match(continuity.counters, { duplicates: 5, replays: 5 });
});

t.test(
  'an intake reports a run that was never seen, and a hole that an idle block leaves no doubt about',
  async (t) => {
    const receiver = makeReceiver(t);
    const intake = receiver.intake();
    const take = (block: Uint8Array) => intake.take(block, lease(block));
    await take(seal(receiver, { type: 'idle', previousRun: run(4) }, encodeIdle(IDLE)));
    t.match(receiver.log.at(-1), 'plc goes on from a run that was never seen here');
    await take(seal(receiver, { type: 'idle', blockSeq: 1, firstRecord: 2 }, encodeIdle(IDLE)));
    t.equal(receiver.log.at(-1), 'said records 0 to 1 of the stream of plc are missing');
    t.match(intake.counters, { brokenRuns: 1, missingRecords: 2, missingBlocks: 0, idleBlocks: 2 });
  },
);

t.test('what cannot be opened leaves evidence: who, why, and the block itself', async (t) => {
  const receiver = makeReceiver(t);
  const intake = receiver.intake();
  const changed = records(receiver, 0, [0]);
  changed[60_000]! ^= 1;
  const stranger = receiver.site.stranger('mallory');
  const unknown = seal(receiver, { senderDigest: stranger.digest }, new Uint8Array(0), { signer: stranger.signer });
  for (const block of [changed, unknown]) await intake.take(block, lease(block));
  receiver.membership.renewals += 1; // it asked, and still nobody knows the sender
  await intake.takeAgain();
  const entries = kept(receiver);
  t.strictSame(
    entries.names,
    [1, 2].flatMap((number) => [
      `0000000${number}-${toHex(TRANSFER)}.block`,
      `0000000${number}-${toHex(TRANSFER)}.json`,
    ]),
  );
  t.match(entries.read(1), { time: '1970-01-01T00:00:05.000Z', code: 'cannot-open', sender: null });
  t.match(entries.read(3), { code: 'unknown-sender', sender: stranger.did, detail: /\[sender-unknown\]/ });
  t.ok(Buffer.from(changed).equals(readFileSync(join(receiver.folder, 'quarantine', entries.names[0]!))), 'as it came');
});

function kept({ folder }: Receiver) {
  const path = join(folder, 'quarantine');
  const names = readdirSync(path).sort();
  return { names, read: (i: number) => JSON.parse(readFileSync(join(path, names[i]!), 'utf8')) };
}

t.test('the quarantine keeps the newest sixteen, and stops nothing when it cannot be written', async (t) => {
  const root = t.testdir({ bad: 'one that is no part of it', 'a-file': '' });
  const said: string[] = [];
  const notices = new Notices('test');
  notices.say = (sentence) => void said.push(sentence);
  const options = { keepsData: false, notices, wallMs: () => 0 };
  const quarantine = new Quarantine({ folder: join(root, 'kept'), ...options });
  const evidence = { transferId: 'ab', code: 'cannot-open', detail: 'x', sender: null, blockSha256: 'cd' } as const;
  for (let i = 0; i < 20; i++) quarantine.put(evidence, new Uint8Array(4));
  const names = readdirSync(join(root, 'kept')).sort();
  t.strictSame([names.length, names[0], names.at(-1)], [16, '00000005-ab.json', '00000020-ab.json']);
  t.equal(quarantine.putFile(join(root, 'bad'), 'x'), false, 'data was not asked for');

  const keeping = new Quarantine({ folder: join(root, 'kept'), ...options, keepsData: true });
  t.equal(keeping.putFile(join(root, 'bad'), 'recipe.csv'), true);
  t.equal(readFileSync(join(root, 'kept', '00000021-recipe.csv.file'), 'utf8'), 'one that is no part of it');
  t.equal(readdirSync(join(root, 'kept')).length, 16);
  t.equal(keeping.putFile(join(root, 'none'), 'x'), false);
  writeFileSync(join(root, 'kept', 'notes.txt'), 'of the operator');
  keeping.put(evidence, new Uint8Array(4));
  t.ok(readdirSync(join(root, 'kept')).includes('notes.txt'), 'what is not its own stays');

  new Quarantine({ folder: join(root, 'a-file'), ...options }).put(evidence, new Uint8Array(4));
  t.match(said, [/cannot take what was refused \(ENOENT\)/, /cannot take what was refused \((EEXIST|ENOTDIR)\)/]);
});
