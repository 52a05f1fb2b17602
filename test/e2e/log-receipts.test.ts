/** Sender and receiver of a real relay keep its log receipts, and what they keep speaks of the same record. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import { parseLogEvidence, type VerifiedEvidence, verifyLogEvidence } from '../../protocol/log-evidence.ts';
import { figuresOf, lastJson, until } from '../fixtures/clients.ts';
import { feed, makePlant } from '../fixtures/flow.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';

t.setTimeout(60_000);

t.test('both ends keep the receipt of the same block', async (t) => {
  const plant = await makePlant(t);
  const [sent, read] = [plant.path('sent'), plant.path('read')];
  const receiver = plant.receiver(['--log-receipts', read, '--json']);
  const sender = plant.sender(['--stdin', '--log-receipts', sent, '--metrics', '0', '--json']);
  feed(sender, ['temperature 21']);
  await until('three receipts', () => filesIn(sent).length >= 3, sender.stderr);
  const figures = await figuresOf(sender);
  t.match(figures, { log_receipts_missing_total: 0, log_receipts_refused_total: 0 });
  t.ok(figures.log_receipts_total! >= 3);
  sender.child.kill('SIGTERM');
  t.equal(await sender.ended, 0, sender.stderr());
  await until('a receipt at the reader', () => filesIn(read).length > 0, receiver.stderr);
  receiver.child.kill('SIGTERM');
  await receiver.ended;
  t.match(lastJson(receiver.stdout()), { logReceiptsRefused: 0, logReceiptsMissing: 0 });
  t.match(lastJson(sender.stdout()), { ok: true, logReceiptsRefused: 0, logReceiptsContradicted: 0 });

  const [here, there] = [verified(sent, plant.relay.logPin), verified(read, plant.relay.logPin)];
  // A reader that is faster than the signer gets a block without its receipt.
  for (const each of there) t.same(here.find(({ event }) => event.obj.x === each.event.obj.x) ?? each, each);
  t.ok(there.some(({ event }) => here.some((each) => each.event.obj.x === event.obj.x)));
  t.equal(here[0]!.event.src.id, plant.site.device('plc-A1').did);
  t.notMatch(sender.stderr() + receiver.stderr(), '[log-receipt');
});

t.test('the next process of the relay brings the proofs that the one before owed', async (t) => {
  const store = { kind: 'tmpfs', path: blocksFolder(t), slots: 8 };
  const plant = await makePlant(t, { config: { store } });
  plant.receiver(['--json']);
  const sender = plant.sender(['--stdin', '--metrics', '0', '--json']);
  feed(sender, ['temperature 21']);
  const accepted = (): number => plant.events.filter(({ type }) => type === 'accepted').length;
  await until('blocks', () => accepted() >= 5, sender.stderr);
  t.match(await figuresOf(sender), { log_receipts_proved_total: 0 });
  await plant.stopRelay(); // with a last head over everything
  await plant.startRelay();
  const before = accepted();
  await until('blocks of the next process', () => accepted() >= before + 8, sender.stderr);
  const figures = await figuresOf(sender);
  t.ok(figures.log_receipts_proved_total! >= 4, `${figures.log_receipts_proved_total} are proved`);
  t.match(figures, { log_receipts_unproved_total: 0, log_receipts_refused_total: 0 });
  sender.child.kill('SIGTERM');
  await sender.ended;
});

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.log-receipt'))
      .sort();
  } catch {
    return []; // not made yet
  }
}

/** What a folder holds, checked with nothing but the pin of the log key. */
function verified(folder: string, logPin: string): VerifiedEvidence[] {
  const statement = readdirSync(folder).find((name) => name.endsWith('.log-epoch'))!;
  const { event, keys } = verifyEpoch(engine, readFileSync(join(folder, statement)), logPin);
  return filesIn(folder).map((name) =>
    verifyLogEvidence(engine, parseLogEvidence(readFileSync(join(folder, name))), event.obj.origin, keys),
  );
}
