/** An archive that follows a running relay: by what is new only, and never to another history than it has. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import type { Tile } from '../../protocol/tile.ts';
import { takeIn } from '../../tools/audit/archive-intake.ts';
import { ArchiveStore } from '../../tools/audit/archive-store.ts';
import { followEpoch } from '../../tools/audit/epoch-follow.ts';
import { fetchEpoch } from '../../tools/audit/epoch-pull.ts';
import { checkExport } from '../../tools/audit/export-check.ts';
import { RelayLog } from '../../tools/audit/relay-log.ts';
import { ADOPTED, LOG_PIN, startAudit } from '../fixtures/audit.ts';
import { filesBelow } from '../fixtures/audit-export.ts';
import { serveAudit } from '../fixtures/audit-serving.ts';

t.setTimeout(60_000);

/** A log whose bundles a test counts and changes. */
class WatchedLog extends RelayLog {
  readonly asked: number[] = [];
  change: (entries: Uint8Array[], bundle: Tile) => Uint8Array[] = (entries) => entries;

  override async entries(origin: string, bundle: Tile): Promise<Uint8Array[]> {
    this.asked.push(bundle.index);
    return this.change(await super.entries(origin, bundle), bundle);
  }
}

t.test('what is new is pulled, verified and kept; what contradicts is refused, named, and not kept', async (t) => {
  const { sequencer, pass } = startAudit();
  await pass(0);
  const folder = t.testdir();
  const { exportTo, auditor } = await serveAudit(t, folder, sequencer);
  const log = new WatchedLog(engine, await auditor());
  const more = async (count: number) => {
    for (let i = 0; i < count; i++) sequencer.record(ADOPTED);
    await pass(30_000);
  };
  await more(599);
  const old = await fetchEpoch(engine, log, LOG_PIN);
  const [first, archive] = [join(folder, 'first'), join(folder, 'archive')];
  t.ok((await exportTo(first)).ok);
  const store = new ArchiveStore(archive, LOG_PIN);
  t.teardown(() => store.close());
  t.ok(takeIn(store, first, { engine, logPin: LOG_PIN }).report.ok);
  const follow = async () => followEpoch(engine, log, store, await fetchEpoch(engine, log, LOG_PIN));
  const whole = () => checkExport({ engine, folder: archive, logPin: LOG_PIN });

  t.match(await follow(), { before: 600, size: 600 });
  t.same(log.asked, [], 'nothing new: nothing is asked for');
  for (const [count, size, asked] of [
    [1, 601, [2]],
    [167, 768, [2]],
    [1, 769, [3]],
    [700, 1469, [3, 4, 5]],
  ] as const) {
    log.asked.length = 0;
    await more(count);
    t.match(await follow(), { size });
    t.same(log.asked, asked, `${size}: from the first bundle that was not full`);
    t.match(whole(), { ok: true, failures: [], epochs: [{ size, records: size, leaves: size }] }, `${size} holds`);
  }
  await more(10);
  await more(10);
  t.match(await follow(), { before: 1469, size: 1489 });
  t.ok(readdirSync(join(archive, 'epochs', old.id, 'checkpoints')).includes('1479'), 'heads between are kept');

  await more(300);
  const before = filesBelow(archive);
  const edited = (at: number) => (entries: Uint8Array[], bundle: Tile) =>
    entries.map((entry, i) => {
      const text = Buffer.from(entry).toString();
      return bundle.index * 256 + i === at ? Buffer.from(text.replace(/"n":"./, '"n":"_')) : entry;
    });
  const cases: readonly [string, string, WatchedLog['change']][] = [
    ['a record that the archive has', 'log-forked', edited(1450)],
    ['a record that is new', 'proof-invalid', edited(1600)],
    ['records in another order', 'log-record-invalid', (entries) => entries.toReversed()],
    ['what is no record', 'json-invalid', (entries) => entries.map(() => Buffer.from('x'))],
  ];
  for (const [what, code, change] of cases) {
    log.change = change;
    await t.rejects(follow(), { code }, what);
    t.same(
      filesBelow(archive).filter((path) => !path.startsWith('incoming')),
      before,
      'nothing of it was taken',
    );
  }
  log.change = (entries) => entries;
  await t.rejects(followEpoch(engine, log, store, old), { code: 'log-rolled-back' });
  const forked = { ...(await fetchEpoch(engine, log, LOG_PIN)) };
  const head = { ...forked.head, size: 1489, root: new Uint8Array(32) };
  await t.rejects(followEpoch(engine, log, store, { ...forked, head }), { code: 'log-forked' });
  t.match(await follow(), { before: 1489, size: 1789 }, 'and goes on after all of that');
  t.ok(whole().ok);
  t.notOk(existsSync(store.incoming));
});
