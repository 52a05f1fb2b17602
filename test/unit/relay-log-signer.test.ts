/** The signer, in this thread and in its own: it signs what continues, and after anything else nothing more. */
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { verifyCheckpoint } from '../../protocol/checkpoint.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import { verifyLogReceipt } from '../../protocol/log-receipt.ts';
import { consistencyProof } from '../../protocol/merkle.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { LogSigner } from '../../relay/log/signer.ts';
import { SignerThread } from '../../relay/log/signer-thread.ts';
import { ADOPTED, startAudit, verifyChain } from '../fixtures/audit.ts';
import { faultySigner } from '../fixtures/faulty-signer.ts';
import { epochEvent, KeptTree, logPinOf, logSigners, ORIGIN, SECONDS } from '../fixtures/log.ts';
import { seed } from '../fixtures/protocol.ts';

t.setTimeout(60_000);

const SEED = seed('log key of signer');
const PIN = logPinOf(logSigners(engine, 'signer'));

const codeOf = (signed: Promise<unknown>) =>
  signed.then(
    () => 'signed',
    (thrown) => asProblem(thrown).code,
  );

for (const [where, make] of [
  ['in this thread', () => new LogSigner(engine, SEED)],
  [
    'in its own thread',
    () => new SignerThread(Uint8Array.from(SEED), { seedAgain: async () => Uint8Array.from(SEED) }),
  ],
] as const) {
  t.test(where, async (t) => {
    const signer = make();
    t.teardown(() => signer.close());
    const { statement } = signer.open(epochEvent());
    const { keys } = verifyEpoch(engine, statement, PIN);
    const tree = new KeptTree(engine);
    const grow = (count: number) => {
      for (let i = 0; i < count; i++) tree.append(seed(`leaf ${tree.size}`));
    };
    const request = (old: number, seconds: number) => ({
      origin: ORIGIN,
      size: tree.size,
      root: tree.root(),
      seconds,
      proof: consistencyProof(engine, tree.read, old, tree.size),
    });
    grow(3);
    const first = await signer.head(request(0, SECONDS));
    t.equal(verifyCheckpoint(engine, first, ORIGIN, keys).head.size, 3);
    grow(4);
    const second = await signer.head(request(3, SECONDS + 1));
    t.equal(verifyCheckpoint(engine, second, ORIGIN, keys).seconds, SECONDS + 1);

    const receipt = {
      originHash: engine.sha256(Buffer.from(ORIGIN)),
      transferId: new Uint8Array(16).fill(1),
      index: 2,
      leafHash: seed('leaf 2'),
      timeMs: 5,
      mode: 'best-effort',
      withinSeconds: 60,
    } as const;
    const signed = await signer.receipt(ORIGIN, receipt);
    t.match(verifyLogReceipt(engine, signed, ORIGIN, keys['ml-dsa-44']), { index: 2, mode: 'best-effort' });

    // The same leaves with another one at the place of the fifth: a fork.
    const fork = new KeptTree(engine);
    for (let i = 0; i < 9; i++) fork.append(seed(i === 4 ? 'another' : `leaf ${i}`));
    const proof = consistencyProof(engine, fork.read, 7, 9);
    const forked = { origin: ORIGIN, size: 9, root: fork.root(), seconds: SECONDS + 9, proof };
    t.equal(await codeOf(signer.head(forked)), 'proof-invalid');
    grow(1);
    t.equal(await codeOf(signer.head(request(7, SECONDS + 10))), 'proof-invalid', 'for ever');
    signer.end(ORIGIN);
    t.equal(await codeOf(signer.receipt(ORIGIN, receipt)), 'log-epoch-invalid');
  });
}

t.test('time that does not advance is refused', async (t) => {
  const signer = new LogSigner(engine, SEED);
  signer.open(epochEvent());
  const head = { origin: ORIGIN, size: 1, root: seed('leaf'), seconds: SECONDS, proof: [] };
  t.equal(await codeOf(signer.head(head)), 'signed');
  t.equal(await codeOf(signer.head(head)), 'proof-invalid');
});

t.test('a thread that ends answers nothing more, and says so', async (t) => {
  const signer = new SignerThread(Uint8Array.from(SEED), { seedAgain: async () => Uint8Array.from(SEED) });
  signer.open(epochEvent());
  await signer.close();
  const head = { origin: ORIGIN, size: 1, root: seed('leaf'), seconds: SECONDS, proof: [] };
  t.equal(await codeOf(signer.head(head)), 'internal');
});

t.test('a signer that refuses the head ends the epoch, and the next one says why', async (t) => {
  const { sequencer, pass, findings } = startAudit({
    signer: new (class extends LogSigner {
      lies = 1;
      override head(request: Parameters<LogSigner['head']>[0]) {
        return super.head(request.size === 2 && this.lies-- > 0 ? { ...request, root: seed('other') } : request);
      }
    })(engine, seed('log of the audit fixture')),
  });
  await pass(30_000);
  sequencer.record({ act: 'boot', obj: { reason: 'restart' }, res: 'success', src: { id: 'relay-1', k: 'relay' } });
  await pass(30_000);
  await pass(30_000);
  t.equal(sequencer.epochs.length, 2);
  t.match(findings, [/^a head of the audit log is not signed: the proof leads to another root/]);
  t.equal(sequencer.epochs[0]!.tail!.size, 2);
});

/** An audit log whose signer is a real thread with a fault; waits for real time where a thread needs it. */
function withFault(t: Test, ...fault: Parameters<typeof faultySigner>) {
  const log = seed('log of the audit fixture');
  const seedAgain = async () => Uint8Array.from(log);
  const signer = new SignerThread(Uint8Array.from(log), {
    seedAgain,
    silentMs: fault[0] === 'silent' ? 300 : 10_000,
    program: faultySigner(...fault),
  });
  t.teardown(() => signer.close());
  const audit = startAudit({ signer });
  const until = async (what: string, is: () => boolean) => {
    for (let looks = 0; looks < 400 && !is(); looks++) {
      audit.sequencer.tick();
      await sleep(10);
    }
    t.ok(is(), what);
  };
  return { ...audit, until };
}

for (const [fault, why] of [
  ['dies', /the signer ended/],
  ['throws', /the signer failed: as a test asked/],
  ['silent', /the signer gave no answer within 0.3 s/],
  ['refuses', /as a test asked/],
] as const) {
  t.test(`a signer that ${fault} is followed by another, with an epoch that covers what was not signed`, async (t) => {
    const { sequencer, until, pass, findings, epochs } = withFault(t, fault, 'head', 2);
    await until('the first head', () => sequencer.epochs[0]!.heads.length === 1);
    sequencer.record(ADOPTED);
    await pass(30_000);
    await until('a new epoch with a head', () => (sequencer.epochs[1]?.heads.length ?? 0) > 0);
    t.match(findings[0], why);
    t.equal(sequencer.faults, 1);
    t.equal(epochs.kept.length, 2);
    await sequencer.close();
    const records = verifyChain(t, sequencer.epochs);
    t.match(
      records.filter(({ act }) => act !== 'log.epoch.open').map(({ act }) => act),
      ['transfer.adopted', 'log.selfcheck.failed', 'log.epoch.close'],
    );
    t.match(
      records.find(({ act }) => act === 'log.selfcheck.failed'),
      { obj: { origin: sequencer.epochs[0]!.origin, size: 2 } },
    );
    t.equal(sequencer.epochs[0]!.heads.length, 1, 'the old epoch has no head more');
  });
}

t.test('a signer that signs another root is not believed', async (t) => {
  const { sequencer, until, findings } = withFault(t, 'forks', 'head', 1);
  await until('a new epoch with a head', () => (sequencer.epochs[1]?.heads.length ?? 0) > 0);
  t.match(findings, [/the signer answered with another head/]);
  t.same(sequencer.epochs[0]!.heads, [], 'nobody is shown the fork');
  t.equal(sequencer.epochs[0]!.tail!.size, 1);
});

t.test('a signer that always dies costs an epoch each 30 seconds and no more, and records go on', async (t) => {
  const { sequencer, until, pass, findings } = withFault(t, 'dies', 'head', 1);
  await until('two epochs', () => sequencer.epochs.length === 2);
  await until('it is noticed', () => findings.length >= 2);
  for (let i = 0; i < 20; i++) await pass(100);
  t.equal(sequencer.epochs.length, 2);
  const { index } = sequencer.record(ADOPTED);
  t.ok(index > 0);
  await pass(30_000);
  await until('three epochs', () => sequencer.epochs.length === 3);
  t.ok(sequencer.headAgeMs >= 30_000, 'the age of the newest head grows');
});

t.test('a signer that cannot begin again is said, and tried again at the next head', async (t) => {
  const log = seed('log of the audit fixture');
  let isThere = false;
  const signer = new SignerThread(Uint8Array.from(log), {
    async seedAgain() {
      if (!isThere) throw new Problem('config-missing', 'no seed');
      return Uint8Array.from(log);
    },
  });
  t.teardown(() => signer.close());
  const { sequencer, pass, findings, clock } = startAudit({ signer });
  await signer.close();
  await pass(0);
  for (let looks = 0; looks < 400 && findings.length < 2; looks++) await sleep(10);
  t.match(findings, [/the signer ended/, /the audit log has no signer: no seed/]);
  clock.wall += 4_000_000; // an epoch that nobody can sign ends for no other reason
  await pass(0);
  t.equal(sequencer.epochs.length, 1);
  isThere = true;
  await pass(30_000);
  for (let looks = 0; looks < 400 && sequencer.epochs.length < 2; looks++) await sleep(10);
  t.equal(sequencer.epochs.length, 2);
  verifyChain(t, sequencer.epochs.slice(0, 1));
});
