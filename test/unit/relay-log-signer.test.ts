/** The signer, in this thread and in its own: it signs what continues, and after anything else nothing more. */
import t from 'tap';
import { verifyCheckpoint } from '../../protocol/checkpoint.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import { verifyLogReceipt } from '../../protocol/log-receipt.ts';
import { consistencyProof } from '../../protocol/merkle.ts';
import { asProblem } from '../../protocol/problem.ts';
import { LogSigner } from '../../relay/log/signer.ts';
import { SignerThread } from '../../relay/log/signer-thread.ts';
import { startAudit } from '../fixtures/audit.ts';
import { epochEvent, KeptTree, logPinOf, logSigners, ORIGIN, SECONDS } from '../fixtures/log.ts';
import { seed } from '../fixtures/protocol.ts';

const SEED = seed('log key of signer');
const PIN = logPinOf(logSigners(engine, 'signer'));

const codeOf = (signed: Promise<unknown>) =>
  signed.then(
    () => 'signed',
    (thrown) => asProblem(thrown).code,
  );

for (const [where, make] of [
  ['in this thread', () => new LogSigner(engine, SEED)],
  ['in its own thread', () => new SignerThread(Uint8Array.from(SEED))],
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
  const signer = new SignerThread(Uint8Array.from(SEED));
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
  t.match(findings, [/failed its own check/]);
  t.equal(sequencer.epochs[0]!.tail!.size, 2);
});
