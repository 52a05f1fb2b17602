/** How a client holds the relay to its log receipts: over a log that runs in the test, and what it owes, without a network. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import { type ControlItem, itemOf } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { parseLogEvidence } from '../../protocol/log-evidence.ts';
import { blockCommitment } from '../../protocol/log-record.ts';
import { toHex } from '../../protocol/text.ts';
import { owedBefore } from '../../relay/log/owed-before.ts';
import { OwedProofs } from '../../relay/log/owed-proofs.ts';
import { LogSigner } from '../../relay/log/signer.ts';
import { LogReceiptFiles } from '../../tools/lib/log-receipt-files.ts';
import { LogReceipts } from '../../tools/lib/log-receipts.ts';
import { LOG_PIN, LOG_SEED, startAudit } from '../fixtures/audit.ts';
import { seed } from '../fixtures/protocol.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';

const SENDER = `did:paramant:z${'Q'.repeat(45)}`;
const BLOCK = seed('block');
/** What proofs have beside them in a frame. */
const ROOM = 24_000;
/** Answers that a client waits for the oldest proof. */
const PATIENCE = 16;

/** A process that takes blocks, and its signer. */
function relayOver(folder: string | null) {
  const signer = new LogSigner(engine, LOG_SEED);
  const audit = startAudit({ folder, signer });
  const owed = new OwedProofs(engine, audit.sequencer);
  for (const epoch of audit.sequencer.epochs.filter(({ isOpen }) => !isOpen)) {
    for (const { did, ...leaf } of owedBefore(epoch)) owed.owe(did, { ...leaf, origin: epoch.origin });
  }
  let blocks = 0;
  /** What stands beside `accepted` for the next block. */
  const accept = async (): Promise<ControlItem[]> => {
    const transferId = seed(`transfer ${blocks++}`).subarray(0, 16);
    const salt = seed(`salt ${blocks}`);
    const c = blockCommitment(engine, salt, engine.sha256(BLOCK));
    const obj = { c, route: '0'.repeat(32), views: 1, x: toHex(transferId) };
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
    owed.owe(SENDER, { origin, index, transferId: toHex(transferId) });
    return [
      { type: 'accepted', transferId, repeated: false },
      { type: 'commitSalt', transferId, salt },
      { type: 'logReceipt', bytes: await signer.receipt(origin, receipt) },
      { type: 'logRecord', bytes: entry },
    ];
  };
  /** What an answer brings beside that. */
  const brings = (): ControlItem[] => owed.next(SENDER, ROOM);
  return { ...audit, owed, accept, brings };
}

/** A client of whatever process answers it. */
function clientOf(t: Test) {
  const clock = { now: 0 };
  const problems: string[] = [];
  const folder = join(t.testdir(), 'receipts');
  const receipts = new LogReceipts({
    engine,
    logPin: () => LOG_PIN,
    files: new LogReceiptFiles(folder),
    sender: SENDER,
    now: () => clock.now,
    onProblem: ({ code }) => problems.push(code),
  });
  return { receipts, clock, problems, folder };
}

t.test('a receipt is verified when its epoch is known, and proved once a head covers it', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  const { receipts, clock, problems, folder } = clientOf(t);
  const came: string[] = [];
  const answer = async (): Promise<void> => {
    const items = [...(await relay.accept()), ...relay.brings()];
    came.push(
      items
        .slice(4)
        .map(({ type }) => type)
        .join(),
    );
    receipts.take(items, BLOCK);
  };
  for (let slot = 0; slot < 6; slot++) {
    await answer();
    clock.now += 15_000;
    await relay.pass(15_000);
  }
  t.same(came, ['logEpoch', '', 'logProof,logProof', '', 'logProof,logProof', '']);
  t.match(receipts.counters, { logReceipts: 6, logReceiptsProved: 4 });
  receipts.take([{ type: 'cover' }, ...relay.brings()]);
  t.match(receipts.counters, { logReceiptsProved: 6, logReceiptsUnproved: 0, logReceiptsContradicted: 0 });
  t.same(relay.brings(), [], 'and once');
  t.same(problems, []);
  t.same(
    readdirSync(folder)
      .map((name) => name.replace(/^\d+-[0-9a-f]+/, ''))
      .sort(),
    ['.log-epoch', ...Array(6).fill('.log-receipt')],
  );
  const [first] = readdirSync(folder).filter((name) => name.endsWith('.log-receipt'));
  t.same(parseLogEvidence(readFileSync(join(folder, first!))).blockSha256, engine.sha256(BLOCK));
});

t.test('the next epoch proves what no head of its own covers', async (t) => {
  const folder = blocksFolder(t);
  const first = relayOver(folder);
  await first.pass(0);
  const { receipts, problems } = clientOf(t);
  receipts.take([...(await first.accept()), ...first.brings()], BLOCK);
  const second = relayOver(folder); // the first one ended without a word
  const types = (): string[] => {
    const items = second.brings();
    receipts.take(items);
    return items.map(({ type }) => type);
  };
  t.same([types(), types()], [['logEpoch'], []], 'the statement again, and before its own first head no more');
  await second.pass(0);
  t.same(types(), ['logTail']);
  t.match(receipts.counters, { logReceiptsProved: 1, logReceiptsUnproved: 0 });
  t.same(problems, []);
});

t.test('a relay that stays silent is named some answers after the time was up', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  const { receipts, clock, problems } = clientOf(t);
  receipts.take([...(await relay.accept()), ...relay.brings()], BLOCK);
  receipts.take(await relay.accept(), BLOCK);
  for (let i = 0; i < 2 * PATIENCE; i++) receipts.take([{ type: 'cover' }]);
  clock.now += 60_000;
  for (let i = 0; i < PATIENCE; i++) receipts.take([{ type: 'cover' }]);
  t.match(receipts.counters, { logReceipts: 2, logReceiptsUnproved: 0 });
  receipts.take([{ type: 'cover' }]);
  t.match(receipts.counters, { logReceiptsUnproved: 1 });
  receipts.take([{ type: 'cover' }]);
  t.match(receipts.counters, { logReceiptsUnproved: 2 });
  receipts.take([{ type: 'cover' }]);
  await relay.pass(30_000);
  receipts.take([{ type: 'cover' }, ...relay.brings()]);
  t.match(receipts.counters, { logReceiptsProved: 0, logReceiptsUnproved: 2 }, 'and forgotten then');
  t.same(problems, ['log-receipt-unproved', 'log-receipt-unproved']);
});

t.test('a relay that skips one is named, also when it proves all others', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  const { receipts, clock, problems } = clientOf(t);
  const transfers: Uint8Array[] = [];
  for (let i = 0; i < 3; i++) {
    const items = await relay.accept();
    transfers.push(itemOf(items, 'accepted')!.transferId);
    receipts.take([...items, ...relay.brings()], BLOCK);
  }
  await relay.pass(30_000);
  const proofs = [...relay.brings(), ...relay.brings()];
  const about = (transferId: Uint8Array) =>
    proofs.filter((item) => item.type === 'logProof' && toHex(item.transferId) === toHex(transferId));
  clock.now += 60_000;
  for (let i = 0; i < 10; i++) receipts.take(about(transfers[1]!));
  for (let i = 0; i < 10; i++) receipts.take(about(transfers[2]!));
  t.match(receipts.counters, { logReceiptsProved: 2, logReceiptsUnproved: 1 });
  t.same(problems, ['log-receipt-unproved']);
});

t.test('beside a repeated block, and to a reader, no receipt is owed', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  const { receipts, problems } = clientOf(t);
  const transferId = new Uint8Array(16);
  const lease = { type: 'lease', transferId, blockSha256: BLOCK, attempt: 1, leaseMs: 1 } as const;
  receipts.take([{ type: 'accepted', transferId, repeated: true }], BLOCK);
  receipts.take([lease]);
  receipts.take([{ type: 'cover' }]);
  t.equal(receipts.counters.logReceiptsMissing, 0);
  receipts.take([{ type: 'accepted', transferId, repeated: false }], BLOCK);
  t.equal(receipts.counters.logReceiptsMissing, 1);
  t.same(problems, ['log-receipt-missing']);
});

t.test('a receipt that comes with a later answer counts like any other', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  const { receipts, problems } = clientOf(t);
  const [accepted, salt, owed, record] = await relay.accept();
  receipts.take([accepted!, salt!, record!], BLOCK);
  t.match(receipts.counters, { logReceipts: 0, logReceiptsMissing: 1 });
  receipts.take([...(await relay.accept()), owed!], BLOCK);
  receipts.take(relay.brings());
  t.match(receipts.counters, { logReceipts: 2, logReceiptsMissing: 1, logReceiptsRefused: 0 });
  receipts.take([...(await relay.accept()), owed!], BLOCK);
  t.match(receipts.counters, { logReceipts: 3, logReceiptsRefused: 1 }, 'but once');
  for (let i = 0; i < 70; i++)
    receipts.take(
      (await relay.accept()).filter(({ type }) => type !== 'logReceipt'),
      BLOCK,
    );
  t.match(receipts.counters, { logReceiptsMissing: 71 });
  t.same([...new Set(problems)], ['log-receipt-missing', 'log-receipt-invalid']);
});

t.test('what waits is bounded', async (t) => {
  const relay = relayOver(null);
  await relay.pass(0);
  const { receipts } = clientOf(t);
  const items = await relay.accept();
  for (let i = 0; i < 1030; i++) receipts.take(items, BLOCK);
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
    const client = clientOf(t);
    rmSync(client.folder, { recursive: true });
    writeFileSync(client.folder, 'a file where the folder was');
    client.receipts.take(await relay.accept(), BLOCK);
    client.receipts.take(relay.brings());
    t.match(client.receipts.counters, { logReceipts: 1, logReceiptsRefused: 0 });
    t.same(client.problems, ['state-failed', 'state-failed']);
  },
);
