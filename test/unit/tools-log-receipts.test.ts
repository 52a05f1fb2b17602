/** How a client holds the relay to its log receipts: over a log that runs in the test, asked without a network. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import type { ControlItem } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { parseLogEvidence } from '../../protocol/log-evidence.ts';
import { blockCommitment } from '../../protocol/log-record.ts';
import { Problem, type ProblemCode } from '../../protocol/problem.ts';
import { formatTailProof } from '../../protocol/tail-proof.ts';
import { toHex } from '../../protocol/text.ts';
import { formatTlogProof } from '../../protocol/tlog-proof.ts';
import type { LogView } from '../../relay/log/log-view.ts';
import { proofOfLeaf, proofOfTail } from '../../relay/log/proofs.ts';
import { epochById, epochOf } from '../../relay/log/read.ts';
import { LogSigner } from '../../relay/log/signer.ts';
import { LogReceiptFiles } from '../../tools/lib/log-receipt-files.ts';
import { LogReceipts } from '../../tools/lib/log-receipts.ts';
import { LOG_PIN, LOG_SEED, startAudit } from '../fixtures/audit.ts';
import { seed } from '../fixtures/protocol.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';

const SENDER = `did:paramant:z${'Q'.repeat(45)}`;
const BLOCK = seed('block');

/** A process that takes blocks, and its signer. */
function relayOver(folder: string | null) {
  const signer = new LogSigner(engine, LOG_SEED);
  const audit = startAudit({ folder, signer });
  let blocks = 0;
  /** What stands beside `accepted` for the next block. */
  const accept = async (): Promise<ControlItem[]> => {
    const transferId = seed(`transfer ${blocks++}`).subarray(0, 16);
    const salt = seed(`salt ${blocks}`);
    const obj = { c: blockCommitment(engine, salt, BLOCK), route: '0'.repeat(32), views: 1, x: toHex(transferId) };
    const src = { id: SENDER, k: 'device' } as const;
    const recorded = audit.sequencer.record({ act: 'transfer.accepted', obj, res: 'success', src });
    const { origin, index, leaf: leafHash, entry, timeMs } = recorded;
    const originHash = engine.sha256(utf8(origin));
    const receipt = {
      originHash,
      transferId,
      index,
      leafHash,
      timeMs,
      mode: 'best-effort',
      withinSeconds: 60,
    } as const;
    return [
      { type: 'accepted', transferId, repeated: false },
      { type: 'commitSalt', transferId, salt },
      { type: 'logReceipt', bytes: await signer.receipt(origin, receipt) },
      { type: 'logRecord', bytes: entry },
    ];
  };
  return { ...audit, accept };
}

/** A client of whatever process `log` gives at the moment. */
function clientOf(t: Test, log: () => LogView) {
  const clock = { now: 0 };
  const problems: string[] = [];
  const asked: string[] = [];
  const fault: { code: ProblemCode | null } = { code: null };
  const answer = async (what: string, make: () => Uint8Array): Promise<Uint8Array> => {
    asked.push(what);
    if (fault.code) throw new Problem(fault.code, 'as the test says');
    return make();
  };
  const folder = join(t.testdir(), 'receipts');
  const receipts = new LogReceipts({
    engine,
    relay: {
      logEpoch: (hash) =>
        answer('epoch', () => formatTlogProof(proofOfLeaf(engine, epochById(engine, log(), toHex(hash)), 0))),
      logProof: (origin, index) =>
        answer('proof', () => formatTlogProof(proofOfLeaf(engine, epochOf(log(), origin), index))),
      logTail: (hash, index) =>
        answer('tail', () => formatTailProof(proofOfTail(engine, log(), epochById(engine, log(), toHex(hash)), index))),
    },
    logPin: () => LOG_PIN,
    files: new LogReceiptFiles(folder),
    sender: SENDER,
    now: () => clock.now,
    onProblem: ({ code }) => problems.push(code),
  });
  return { receipts, clock, problems, asked, fault, folder };
}

const hash = (): Uint8Array => BLOCK;

t.test('a receipt is verified when its epoch is known, and proved once when its time is up', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  const { receipts, clock, problems, asked, folder } = clientOf(t, () => relay.sequencer);
  for (let slot = 0; slot < 6; slot++) {
    receipts.take(await relay.accept(), hash);
    await receipts.look();
    clock.now += 15_000;
    await relay.pass(15_000);
  }
  t.match(receipts.counters, { logReceipts: 6, logReceiptsProved: 2 });
  t.same(asked, ['epoch', 'proof', 'proof']);
  for (let slot = 0; slot < 6; slot++, clock.now += 60_000) await receipts.look();
  t.match(receipts.counters, { logReceiptsProved: 6, logReceiptsUnproved: 0, logReceiptsContradicted: 0 });
  t.same(problems, []);
  t.same(
    readdirSync(folder)
      .map((name) => name.replace(/^\d+-[0-9a-f]+/, ''))
      .sort(),
    ['.log-epoch', ...Array(6).fill('.log-receipt')],
  );
  const [first] = readdirSync(folder).filter((name) => name.endsWith('.log-receipt'));
  t.same(parseLogEvidence(readFileSync(join(folder, first!))).blockSha256, BLOCK);
});

t.test('the next epoch proves what no head of its own covers', async (t) => {
  const folder = blocksFolder(t);
  const first = relayOver(folder);
  await first.pass(0);
  let log: LogView = first.sequencer;
  const { receipts, clock, problems, asked } = clientOf(t, () => log);
  receipts.take(await first.accept(), hash);
  await receipts.look();
  const second = relayOver(folder); // the first one ended without a word
  await second.pass(0);
  log = second.sequencer;
  clock.now += 60_000;
  await receipts.look();
  t.same(asked, ['epoch', 'proof', 'tail']);
  t.match(receipts.counters, { logReceiptsProved: 1, logReceiptsUnproved: 0 });
  t.same(problems, []);
});

t.test('a log that is gone is named, a relay that cannot be asked is asked again', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  let log: LogView = relay.sequencer;
  const { receipts, clock, problems, fault, asked } = clientOf(t, () => log);
  receipts.take(await relay.accept(), hash);
  receipts.take(await relay.accept(), hash);
  await receipts.look();
  await relay.pass(30_000);
  clock.now += 60_000;
  fault.code = 'relay-unreachable';
  await receipts.look();
  t.match(receipts.counters, { logReceiptsProved: 0, logReceiptsUnproved: 0 });
  fault.code = null;
  await receipts.look();
  t.match(receipts.counters, { logReceiptsProved: 1, logReceiptsUnproved: 0 });
  const other = relayOver(null);
  await other.pass(0);
  log = other.sequencer;
  await receipts.look();
  t.match(receipts.counters, { logReceiptsProved: 1, logReceiptsUnproved: 1 });
  t.same(problems, ['relay-unreachable', 'log-receipt-unproved']);
  asked.length = 0;
  await receipts.look();
  t.same(asked, [], 'and forgotten then');
});

t.test('a statement that is not given is asked for now and then, not each slot', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  const { receipts, clock, problems, fault, asked } = clientOf(t, () => relay.sequencer);
  fault.code = 'not-available';
  receipts.take(await relay.accept(), hash);
  for (let slot = 0; slot < 30; slot++, clock.now += 1000) await receipts.look();
  t.same(asked, ['epoch', 'epoch']);
  fault.code = 'relay-answer-invalid';
  await receipts.look();
  t.same(problems, ['relay-answer-invalid']);
  fault.code = null;
  clock.now += 15_000;
  await receipts.look();
  t.match(receipts.counters, { logReceipts: 1, logReceiptsRefused: 0 });
});

t.test('beside a repeated block, and to a reader, no receipt is owed', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  const { receipts, problems } = clientOf(t, () => relay.sequencer);
  const transferId = new Uint8Array(16);
  const lease = { type: 'lease', transferId, blockSha256: BLOCK, attempt: 1, leaseMs: 1 } as const;
  receipts.take([{ type: 'accepted', transferId, repeated: true }], hash);
  receipts.take([lease], hash);
  receipts.take([{ type: 'cover' }], hash);
  t.equal(receipts.counters.logReceiptsMissing, 0);
  receipts.take([{ type: 'accepted', transferId, repeated: false }], hash);
  t.equal(receipts.counters.logReceiptsMissing, 1);
  t.same(problems, ['log-receipt-missing']);
});

t.test('a receipt that comes with a later answer counts like any other', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  const { receipts, problems } = clientOf(t, () => relay.sequencer);
  const [accepted, salt, owed, record] = await relay.accept();
  receipts.take([accepted!, salt!, record!], hash);
  t.match(receipts.counters, { logReceipts: 0, logReceiptsMissing: 1 });
  receipts.take([...(await relay.accept()), owed!], hash);
  await receipts.look();
  t.match(receipts.counters, { logReceipts: 2, logReceiptsMissing: 1, logReceiptsRefused: 0 });
  receipts.take([...(await relay.accept()), owed!], hash);
  t.match(receipts.counters, { logReceipts: 3, logReceiptsRefused: 1 }, 'but once');
  for (let i = 0; i < 70; i++)
    receipts.take(
      (await relay.accept()).filter(({ type }) => type !== 'logReceipt'),
      hash,
    );
  t.match(receipts.counters, { logReceiptsMissing: 71 });
  t.same([...new Set(problems)], ['log-receipt-missing', 'log-receipt-invalid']);
});

t.test('what waits is bounded', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  const { receipts } = clientOf(t, () => relay.sequencer);
  const items = await relay.accept();
  for (let i = 0; i < 1030; i++) receipts.take(items, hash);
  t.equal(receipts.counters.logReceiptsUnproved, 6);
});

t.test(
  'the newest files push out the oldest, over restarts too; a folder that cannot be written says so',
  async (t) => {
    const folder = t.testdir({ '000000000007-ab.log-epoch': 'x', 'notes.txt': 'mine', '.x.tmp': 'half' });
    for (let i = 8; i < 600; i++) writeFileSync(join(folder, `${String(i).padStart(12, '0')}-cd.log-epoch`), '');
    new LogReceiptFiles(folder).keep('log-epoch', Uint8Array.of(1), utf8('newest'));
    const epochs = readdirSync(folder).filter((name) => name.endsWith('.log-epoch'));
    t.same([epochs.length, epochs[0], epochs.at(-1)], [512, '000000000089-cd.log-epoch', '000000000600-01.log-epoch']);
    t.same(
      readdirSync(folder).filter((name) => !name.endsWith('.log-epoch')),
      ['notes.txt'],
    );

    const relay = relayOver(null);
    await relay.pass(0);
    const client = clientOf(t, () => relay.sequencer);
    rmSync(client.folder, { recursive: true });
    writeFileSync(client.folder, 'a file where the folder was');
    client.receipts.take(await relay.accept(), hash);
    await client.receipts.look();
    t.match(client.receipts.counters, { logReceipts: 1, logReceiptsRefused: 0 });
    t.same(client.problems, ['state-failed', 'state-failed']);
  },
);
