/** Archive servers vouch for heads: whose word counts, for what, and what is handed on. */
import t, { type Test } from 'tap';
import { signCheckpoint } from '../../protocol/checkpoint.ts';
import { cosign } from '../../protocol/cosignature.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { formatNote, parseNote } from '../../protocol/note.ts';
import { formatVerifierKey } from '../../protocol/note-key.ts';
import { Cosignatures } from '../../relay/log/cosignatures.ts';
import type { PublishedHead } from '../../relay/log/log-view.ts';
import { proofOfLeaf } from '../../relay/log/proofs.ts';
import { ADOPTED, startAudit } from '../fixtures/audit.ts';
import { logSigners } from '../fixtures/log.ts';
import { refuses, seed } from '../fixtures/protocol.ts';

/** An archive server: what stands in the roster, and its line under a head. */
function archive(name: string) {
  const key = engine.singleKey('ml-dsa-44', seed(`cosigner ${name}`));
  const { algorithm, publicKey } = key;
  return {
    listed: { name: `of-${name}`, key: formatVerifierKey(engine, { name, algorithm, publicKey }) },
    line: (origin: string, { size, root }: PublishedHead) =>
      cosign(engine, name, key, { origin, size, root }, 1_900_000_000),
  };
}

const [first, second, stranger] = [archive('archive-1'), archive('archive-2'), archive('stranger')];
const ROSTER = [first.listed, second.listed];

async function startLog(quorum = 1) {
  const log = startAudit();
  await log.pass(0);
  for (let i = 0; i < 600; i++) log.sequencer.record(ADOPTED);
  await log.pass(30_000);
  for (let i = 0; i < 600; i++) log.sequencer.record(ADOPTED);
  await log.pass(30_000);
  const [epoch] = log.epochs.kept;
  return { ...log, epoch: epoch!, cosignatures: new Cosignatures(engine, log.epochs, quorum) };
}

function under(head: PublishedHead, ...lines: ReturnType<typeof first.line>[]): Uint8Array {
  const { text, signatures } = parseNote(head.checkpoint);
  return formatNote({ text, signatures: [...signatures, ...lines] });
}

const namesUnder = (head: PublishedHead) => parseNote(head.checkpoint).signatures.map(({ name }) => name);

t.test('a cosigned head is news once, and is served with the lines that count', async (t) => {
  const { epoch, cosignatures } = await startLog();
  const { origin, heads } = epoch;
  const [, middle, last] = heads as [PublishedHead, PublishedHead, PublishedHead];
  const returned = under(middle, first.line(origin, middle), stranger.line(origin, middle));
  t.same(cosignatures.take(returned, ROSTER), { origin, size: middle.size, news: ['archive-1'] });
  t.same(cosignatures.take(returned, ROSTER).news, [], 'the same again is no news');
  t.equal(epoch.heads.length, 3);
  t.same(namesUnder(epoch.heads[1]!), [origin, origin, origin, 'archive-1'], 'the line of a stranger is not handed on');
  t.same(cosignatures.take(under(middle, second.line(origin, middle)), ROSTER).news, ['archive-2']);
  t.same(namesUnder(epoch.heads[1]!), [origin, origin, origin, 'archive-1', 'archive-2'], 'both stand there');
  t.same(cosignatures.take(under(last, first.line(origin, last)), ROSTER).news, ['archive-1'], 'for more than before');
  t.same(cosignatures.take(under(middle, first.line(origin, middle)), ROSTER).news, [], 'for less than before');
  t.equal(epoch.cosignedHead!.size, last.size);
});

t.test('a proof under a cosigned head has the lines of the relay only', async (t) => {
  const { epoch, cosignatures } = await startLog();
  const last = epoch.heads.at(-1)!;
  cosignatures.take(under(last, first.line(epoch.origin, last), second.line(epoch.origin, last)), ROSTER);
  const { origin } = epoch;
  t.same(namesUnder(epoch.heads.at(-1)!), [origin, origin, origin, 'archive-1', 'archive-2']);
  const { checkpoint } = proofOfLeaf(engine, epoch, 7);
  t.same(checkpoint, last.checkpoint, 'so it fits a frame however many vouch');
});

t.test('a cosigner whose key this version cannot read stops no other', async (t) => {
  const { epoch, cosignatures } = await startLog();
  const last = epoch.heads.at(-1)!;
  const odd = [{ name: 'odd', key: 'archive-0+00000000+AAAA' }, ...ROSTER];
  t.same(cosignatures.take(under(last, first.line(epoch.origin, last)), odd).news, ['archive-1']);
});

t.test('a head that the relay no longer keeps comes back with its own signatures, and stays', async (t) => {
  const { epoch, cosignatures, sequencer, pass } = await startLog();
  const head = epoch.heads[1]!;
  for (let i = 0; i < 30; i++) {
    sequencer.record(ADOPTED);
    await pass(30_000);
  }
  t.notOk(
    epoch.heads.some(({ size }) => size === head.size),
    'it is gone',
  );
  t.same(cosignatures.take(under(head, first.line(epoch.origin, head)), ROSTER).news, ['archive-1']);
  t.ok(
    epoch.heads.some(({ size }) => size === head.size),
    'it is back',
  );
  t.same(
    epoch.heads.map(({ size }) => size),
    epoch.heads.map(({ size }) => size).sort((a, b) => a - b),
    'in order',
  );
});

t.test('records may leave memory when the quorum holds them', async (t) => {
  for (const [quorum, expected] of [
    [1, 'last'],
    [2, 'middle'],
    [3, 'none'],
  ] as const) {
    const { epoch, cosignatures } = await startLog(quorum);
    const [, middle, last] = epoch.heads as [PublishedHead, PublishedHead, PublishedHead];
    const saved = savedOf(t, epoch);
    cosignatures.take(under(middle, first.line(epoch.origin, middle)), ROSTER);
    cosignatures.take(under(last, second.line(epoch.origin, last)), ROSTER);
    t.equal(saved().at(-1), { last: last.size, middle: middle.size, none: undefined }[expected], `quorum ${quorum}`);
  }
});

t.test('the word of who left the roster counts no more', async (t) => {
  const { epoch, cosignatures } = await startLog(2);
  const [, , last] = epoch.heads as [PublishedHead, PublishedHead, PublishedHead];
  const saved = savedOf(t, epoch);
  cosignatures.take(under(last, first.line(epoch.origin, last)), ROSTER);
  cosignatures.take(under(last, second.line(epoch.origin, last)), [second.listed]);
  t.same(saved(), [], 'one is no quorum of two');
});

function savedOf(t: Test, epoch: { savedBy(by: 'cosigned' | 'stick', below: number): void }): () => number[] {
  const capture = t.capture(epoch, 'savedBy');
  return () => capture().map(({ args }) => args[1] as number);
}

t.test('refused: nobody of the roster, a forged line, another tree, another log', async (t) => {
  const { epoch, cosignatures, sequencer } = await startLog();
  const { origin } = epoch;
  const head = epoch.heads[1]!;
  const take = (bytes: Uint8Array) => () => void cosignatures.take(bytes, ROSTER);
  refuses(t, 'signature-invalid', take(head.checkpoint), 'no cosigner at all');
  refuses(t, 'signature-invalid', take(under(head, stranger.line(origin, head))), 'a stranger');
  const other = { ...first.line(origin, epoch.heads[2]!) };
  refuses(t, 'signature-invalid', take(under(head, other)), 'a line of another head');
  const alien = logSigners(engine, 'another relay');
  const forged = signCheckpoint(engine, { origin, size: head.size, root: head.root }, 1_900_000_000, alien);
  refuses(
    t,
    'log-checkpoint-invalid',
    take(under({ ...head, checkpoint: forged }, first.line(origin, head))),
    'a forged head',
  );
  const unknown = origin.replace(/.{4}$/, (end) => (end === '0000' ? '1111' : '0000'));
  const elsewhere = signCheckpoint(engine, { origin: unknown, size: 3, root: head.root }, 1, alien);
  refuses(t, 'log-missing', take(elsewhere), 'an epoch that is not kept');
  refuses(t, 'log-note-invalid', take(Buffer.from('x')), 'no note');
  const torn = { ...head, root: seed('another tree') };
  t.throws(() => epoch.keepCosigned(torn), { code: 'log-forked' }, 'signed by the relay, but another tree');
  t.throws(() => epoch.keepCosigned({ ...head, size: sequencer.epochs[0]!.heads.at(-1)!.size + 9 }), {
    code: 'log-forked',
  });
  t.equal(epoch.cosignedHead, null);
});
