/** Proofs about records that no head of their own epoch covers. */
import t, { type Test } from 'tap';
import { equalBytes } from '../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { leafHash } from '../../protocol/merkle.ts';
import { formatTailProof, parseTailProof, verifyTailProof } from '../../protocol/tail-proof.ts';
import { fromBase64Url } from '../../protocol/text.ts';
import { parseBundle } from '../../protocol/tile.ts';
import { proofOfTail } from '../../relay/log/proofs.ts';
import { ADOPTED, LOG_PIN, startAudit } from '../fixtures/audit.ts';
import { refuses } from '../fixtures/protocol.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';

/** A process that ended before its last 3 records were in a head, and the one after it. */
async function twoProcesses(t: Test) {
  const folder = blocksFolder(t);
  const first = startAudit({ folder });
  await first.pass(0);
  for (let i = 0; i < 300; i++) first.sequencer.record(ADOPTED);
  await first.pass(30_000);
  for (let i = 0; i < 3; i++) first.sequencer.record(ADOPTED);
  const second = startAudit({ folder });
  await second.pass(0);
  const [ended] = second.sequencer.epochs;
  return { log: second.sequencer, ended: ended!, ongoing: first.sequencer };
}

t.test('each record of the tail is proved by the statement of the next epoch', async (t) => {
  const { log, ended } = await twoProcesses(t);
  const head = ended.heads.at(-1)!;
  t.same([head.size, ended.tail!.size], [301, 304]);
  for (const index of [0, 255, 300, 301, 303]) {
    const proof = parseTailProof(formatTailProof(proofOfTail(engine, log, ended, index)));
    const leaf = leafOfEntry(ended, index);
    const tail = verifyTailProof(engine, proof, leaf, LOG_PIN);
    t.same([tail.origin, tail.tailSize, tail.lastSignedSize], [ended.origin, 304, 301]);
    refuses(t, 'proof-invalid', () => verifyTailProof(engine, proof, engine.sha256(leaf), LOG_PIN), 'another leaf');
  }
  const growth = parseTailProof(formatTailProof(proofOfTail(engine, log, ended, undefined)));
  t.same(growth.proves, { from: 301 });
  const { tailRoot } = verifyTailProof(engine, growth, head.root, LOG_PIN);
  t.ok(equalBytes(fromBase64Url(tailRoot), ended.tail!.root));
  refuses(t, 'proof-invalid', () => verifyTailProof(engine, growth, engine.sha256(), LOG_PIN), 'another head');
});

t.test('no statement but that of the next epoch counts', async (t) => {
  const { log, ended, ongoing } = await twoProcesses(t);
  const proof = proofOfTail(engine, log, ended, 303);
  const leaf = leafOfEntry(ended, 303);
  const other = await twoProcesses(t);
  const foreign = proofOfTail(engine, other.log, other.ended, 303);
  refuses(t, 'log-epoch-invalid', () => verifyTailProof(engine, { ...proof, next: foreign.next }, leaf, LOG_PIN));
  refuses(t, 'log-epoch-invalid', () => verifyTailProof(engine, proof, leaf, LOG_PIN.replace(/.$/, 'x')));
  const text = Buffer.from(proof.next).toString();
  const bare = new Uint8Array(Buffer.from(text.replace(/^extra .*\n/m, '')));
  refuses(
    t,
    'log-epoch-invalid',
    () => verifyTailProof(engine, { ...proof, next: bare }, leaf, LOG_PIN),
    'no statement',
  );
  const [open] = ongoing.epochs;
  refuses(t, 'not-available', () => proofOfTail(engine, ongoing, open!, 0), 'an epoch that goes on has no tail');
  refuses(t, 'not-available', () => proofOfTail(engine, log, ended, 304));
});

t.test('what is no proof is refused', async (t) => {
  const { log, ended } = await twoProcesses(t);
  const written = JSON.parse(Buffer.from(formatTailProof(proofOfTail(engine, log, ended, 303))).toString());
  const parse = (changes: object) => () => parseTailProof(Buffer.from(JSON.stringify({ ...written, ...changes })));
  t.ok(parse({})());
  refuses(t, 'proof-invalid', parse({ from: 3 }), 'two things at once');
  refuses(t, 'proof-invalid', parse({ index: undefined }), 'nothing');
  refuses(t, 'schema-invalid', parse({ hashes: Array(64).fill(written.hashes[0]) }));
  refuses(t, 'schema-invalid', parse({ index: -1 }));
  refuses(t, 'schema-invalid', parse({ more: 1 }));
});

function leafOfEntry(epoch: Awaited<ReturnType<typeof twoProcesses>>['ended'], index: number): Uint8Array {
  const first = Math.floor(index / 256);
  const width = Math.min(256, epoch.tail!.size - first * 256);
  const entries = parseBundle(epoch.bundle({ level: 'entries', index: first, width })!, width);
  return leafHash(engine, entries[index % 256]!);
}
