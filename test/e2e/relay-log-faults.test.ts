/** A relay whose signer of the audit log fails: nothing acknowledged is lost, and whoever looks can see it. */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type ControlItem, itemOf } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import { verifyLogReceipt } from '../../protocol/log-receipt.ts';
import { toBase64Url, toHex } from '../../protocol/text.ts';
import { verifyChain } from '../fixtures/audit.ts';
import { faultySigner } from '../fixtures/faulty-signer.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { runRelay, sealTo } from '../fixtures/relay.ts';

t.setTimeout(60_000);

async function withSigner(t: Test, program: URL) {
  const directory = t.testdir();
  const seedFile = `${directory}/seed`;
  writeFileSync(seedFile, toBase64Url(engine.random(32)), { mode: 0o600 });
  const site = smallPlant(directory, { seedFile });
  const running = await runRelay(t, site, { signer: { program } });
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  await running.registered(historian);
  const sender = await running.registered(plc);
  return { ...running, submit: () => sender.submit(sealTo(plc, [historian])) };
}

const receiptsIn = (items: readonly ControlItem[]) =>
  items.flatMap((item) => (item.type === 'logReceipt' ? [item.bytes] : []));
const transferIn = (items: readonly ControlItem[]) => itemOf(items, 'accepted')!.transferId;

t.test(
  'a receipt that was not signed comes with the next answer, and its sender sees that it did not come',
  async (t) => {
    const { submit, conduit, relay, log } = await withSigner(t, faultySigner('refuses', 'receipt', 1));
    const first = await submit();
    t.same(receiptsIn(first), [], 'accepted without a receipt');
    t.ok(itemOf(first, 'commitSalt'));
    const second = await submit();
    const [epoch] = conduit.audit.view.epochs;
    const { keys } = verifyEpoch(engine, epoch!.statement, relay.logPin);
    const named = receiptsIn(second).map((bytes) =>
      toHex(verifyLogReceipt(engine, bytes, epoch!.origin, keys['ml-dsa-44']).transferId),
    );
    t.same(named, [toHex(transferIn(second)), toHex(transferIn(first))]);
    t.equal(receiptsIn(await submit()).length, 1);
    t.match(conduit.audit.state, { receiptsFailed: 1, receiptsLost: 0, faults: 0 });
    t.ok(log.some(({ msg, fact }) => msg === 'audit' && String(fact).startsWith('no log receipt was signed')));
  },
);

t.test('a signer that dies under load: every accepted block has its record, and another signer goes on', async (t) => {
  const { submit, conduit, relay, ask } = await withSigner(t, faultySigner('dies', 'receipt', 4));
  const accepted: Uint8Array[] = [];
  for (let i = 0; i < 6; i++) accepted.push(transferIn(await submit()));
  for (let looks = 0; looks < 400 && conduit.audit.view.epochs.length < 2; looks++) await sleep(20);
  const last = await submit();
  accepted.push(transferIn(last));
  const { keys } = verifyEpoch(engine, conduit.audit.view.epochs[1]!.statement, relay.logPin);
  verifyLogReceipt(engine, receiptsIn(last)[0]!, conduit.audit.view.epochs[1]!.origin, keys['ml-dsa-44']);
  const { notices } = JSON.parse((await ask('management', { path: '/health' })).body.toString());
  t.match(notices, [/^the audit log failed its own check 1 times/, /^\d+ log receipts were never signed$/]);
  const metrics = await conduit.metrics.text('ot');
  t.match(metrics, /^ghostpipe_log_faults_total 1$/m);
  await relay.close();
  const records = verifyChain(t, conduit.audit.view.epochs, relay.logPin);
  const recorded = records.flatMap((record) => (record.act === 'transfer.accepted' ? record.obj.x : []));
  t.same(
    recorded,
    accepted.map((id) => toHex(id)),
  );
  t.match(
    records.filter(({ act }) => act === 'log.selfcheck.failed'),
    [{ obj: { origin: conduit.audit.view.epochs[0]!.origin } }],
  );
});
