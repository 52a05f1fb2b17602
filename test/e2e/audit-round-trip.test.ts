/** The round trip of the audit log: exported, archived, cosigned, carried back to the relay, and seen in its next export. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { CALLS, type ListenerConfig, MANAGEMENT_CALLS } from '../../protocol/config.ts';
import { itemOf } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { parseNote } from '../../protocol/note.ts';
import { takeIn } from '../../tools/audit/archive-intake.ts';
import { ArchiveStore } from '../../tools/audit/archive-store.ts';
import { cosignNewest } from '../../tools/audit/cosignature-file.ts';
import { makeCosignerKey, verifierKeyOf } from '../../tools/audit/cosigner-key.ts';
import { runExport } from '../../tools/audit/export-run.ts';
import { epochPath } from '../../tools/audit/layout.ts';
import { main } from '../../tools/audit/main.ts';
import { RelayLog } from '../../tools/audit/relay-log.ts';
import { writeFileAtomic } from '../../tools/lib/files.ts';
import { writeProfile } from '../../tools/lib/profile.ts';
import { captured } from '../fixtures/command.ts';
import { openAs, runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import { makeSite } from '../fixtures/site.ts';

t.setTimeout(120_000);

const calls = CALLS.filter((call) => !MANAGEMENT_CALLS.includes(call));
const LISTENER: ListenerConfig = { zone: 'management', address: '127.0.0.1', port: 0, tls: 'pq', calls };

t.test('a head goes to the archive and comes back cosigned, while blocks are sent', async (t) => {
  const directory = t.testdir();
  const site = makeSite({
    directory,
    config: { listeners: [LISTENER] },
    devices: [
      { name: 'plc', roles: ['send'], zone: 'management' },
      { name: 'historian', roles: ['receive'], zone: 'management' },
      { name: 'auditor', roles: ['audit'], zone: 'management' },
    ],
    routes: [{ from: 'plc', to: ['historian'] }],
  });
  const running = await runRelay(t, site);
  const { relay, conduit, registered } = running;
  const [from, to] = [site.device('plc'), site.device('historian')];
  const reader = await registered(to);
  const sender = await registered(from);
  const auditor = await registered(site.device('auditor'));
  const exportTo = (name: string) =>
    runExport({
      engine,
      log: new RelayLog(engine, auditor),
      logPin: relay.logPin,
      to: join(directory, name),
      wall: () => 0,
      onPulled() {},
      onVerified() {},
    });
  const epoch = () => conduit.audit.view.epochs.at(-1)!;
  /** Sends a block, has it read and acknowledged. */
  const transfer = async (): Promise<void> => {
    const block = sealTo(from, [to]);
    const accepted = itemOf(await sender.submit(block), 'accepted')!;
    await reader.claim([sessionItem()], 65_536);
    await reader.ack([{ type: 'ack', transferId: accepted.transferId, ackSecret: openAs(site, to, block).ackSecret }]);
  };
  for (let block = 0; block < 8; block++) await transfer();
  for (let looks = 0; looks < 900 && epoch().heads.at(-1)!.size < 8; looks++) {
    await sleep(100);
    if (looks % 50 === 0) await transfer();
  }
  t.ok((await exportTo('first')).ok);

  const key = makeCosignerKey(engine, join(directory, 'cosigner.json'), 'plant-1-archive');
  const store = new ArchiveStore(join(directory, 'archive'), relay.logPin);
  t.teardown(() => store.close());
  const { taken } = takeIn(store, join(directory, 'first'), { engine, logPin: relay.logPin });
  const { id, size } = taken.at(-1)!;
  t.ok(size > 8);
  const signed = cosignNewest(engine, store.epoch(id)!, key, 1_900_000_000)!;
  t.equal(signed.size, size);

  await t.rejects(sender.giveCosigned(signed.bytes), { code: 'not-available' }, 'nobody of the roster');
  const cosigners = [{ name: 'archive', key: verifierKeyOf(engine, key) }];
  await sender.publishRoster(site.issueRoster({ version: 2, cosigners }));
  const config = join(directory, 'config');
  const { operatorKeyHash, siteId } = site;
  const url = `https://127.0.0.1:${relay.listeners[0]!.port}`;
  writeProfile(config, 'iot', { url, relayPins: [relay.pin], logPin: relay.logPin, operatorKeyHash, siteId });
  const carried = join(directory, 'carried');
  writeFileAtomic(join(carried, epochPath(signed.file)), signed.bytes);
  const returned = await captured(t, () => main(['return', carried, '--config-dir', config, '--json']));
  t.match(JSON.parse(returned.out), { heads: [{ origin: signed.origin, size, news: ['plant-1-archive'] }], gone: 0 });
  const again = await captured(t, () => main(['return', carried, '--config-dir', config]));
  t.match(again, { code: 0, out: /took 1 cosigned heads/ });
  t.match(await sender.giveCosigned(signed.bytes), { news: [] }, 'again: nothing new');
  const [kept] = conduit.audit.view.epochs as unknown as readonly { settledBelow: number }[];
  t.equal(kept!.settledBelow, size, 'its records may be the first to go');

  t.ok((await exportTo('second')).ok);
  const head = readFileSync(join(directory, 'second', 'checkpoints', String(size)));
  t.ok(
    parseNote(head).signatures.some(({ name }) => name === 'plant-1-archive'),
    'the head has its line',
  );
  const more = takeIn(store, join(directory, 'second'), { engine, logPin: relay.logPin });
  t.ok(more.report.ok, 'and the archive takes what follows');
  await relay.close();
});
