/** Exports that are sealed to an auditor: no record on the stick in clear, all of it verified by who has the key. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { takeIn } from '../../tools/audit/archive-intake.ts';
import { ArchiveStore } from '../../tools/audit/archive-store.ts';
import { checkExport } from '../../tools/audit/export-check.ts';
import { main } from '../../tools/audit/main.ts';
import { unsealWith } from '../../tools/audit/unseal.ts';
import { makeAuditorKey, readAuditorKey, readAuditorPublicKey } from '../../tools/lib/auditor-key-file.ts';
import { ADOPTED, LOG_PIN, startAudit } from '../fixtures/audit.ts';
import { changeFile, filesBelow, swapFiles } from '../fixtures/audit-export.ts';
import { serveAudit } from '../fixtures/audit-serving.ts';
import { captured } from '../fixtures/command.ts';

t.setTimeout(120_000);

const PIN = ['--log-key', LOG_PIN];

/** Whether a record, which all have this transfer id, can be read in a file; also in what the page carries. */
function hasRecord(path: string): boolean {
  const bytes = readFileSync(path);
  const [, carried] = /id="carried">([^<]*)</.exec(bytes.toString('latin1')) ?? [];
  const texts = [bytes, ...(carried ? [gunzipSync(Buffer.from(carried, 'base64'))] : [])];
  return texts.some((text) => text.includes('transfer.adopted","cat') || text.includes('"x":"abababab'));
}

t.test('sealed, verified, archived, continued', async (t) => {
  const { sequencer, pass } = startAudit({ maxLeaves: 900 });
  await pass(0);
  const folder = t.testdir();
  const at = (...names: string[]) => join(folder, ...names);
  const { exportTo } = await serveAudit(t, folder, sequencer);
  const [keyFile, to] = [at('auditor.json'), at('export')];
  const made = await captured(t, () => main(['auditor-key', '--out', keyFile]));
  t.match(made, { code: 0, out: /opens what is sealed to .*auditor\.json\.pub/ });
  t.match(await captured(t, () => main(['auditor-key', '--out', keyFile, '--json'])), {
    code: 1,
    err: /already-exists/,
  });
  const sealTo = readAuditorPublicKey(`${keyFile}.pub`);
  const more = async (count: number) => {
    for (let i = 0; i < count; i++) sequencer.record(ADOPTED);
    await pass(30_000);
  };
  const sealedExport = () => exportTo(to, 'auditor', LOG_PIN, sealTo);

  await more(299);
  const clear = await exportTo(at('clear'));
  t.ok(clear.ok && filesBelow(at('clear')).some((path) => hasRecord(at('clear', path))), 'the search finds records');
  t.match(await sealedExport(), { ok: true, failures: [], epochs: [{ size: 300, records: 300, sealed: 0 }] });
  t.same(
    filesBelow(to).filter((path) => hasRecord(join(to, path))),
    [],
    'no file has one',
  );
  t.ok(filesBelow(to).includes('sealed/entries/001.p/44'));

  await t.test('by the auditor, and by who has no key or another one', async (t) => {
    const run = (...argv: string[]) => captured(t, () => main(argv));
    const key = ['--auditor-key', keyFile];
    t.match(await run('verify', to, ...PIN, ...key), { code: 0, out: /300 of 300 log records hold.*VERIFIED: all/s });
    t.match(await run('verify', to, ...PIN), {
      code: 0,
      out: /0 of 300 log records hold, 300 are sealed.*VERIFIED BUT FOR 300 SEALED LOG RECORDS/s,
    });
    t.match(await run('show', to, ...PIN, ...key), { code: 0, out: /\n299 .*transfer\.adopted/ });
    t.match(await run('show', to, ...PIN), { code: 1, err: /sealed to an auditor.*--auditor-key/s });
    t.match(await run('search', to, ...PIN, ...key, '--category', 'conduit'), {
      code: 0,
      out: /299 log records found/,
    });
    t.match(await run('archive', to, '--into', at('none'), ...PIN), { code: 1, err: /log-sealed/ });
    makeAuditorKey(engine, at('other.json'));
    t.match(await run('verify', to, ...PIN, '--auditor-key', at('other.json')), { code: 0, out: /300 SEALED/ });
    t.match(await run('show', to, ...PIN, '--auditor-key', at('other.json')), {
      code: 1,
      err: /the auditor key here is/,
    });
    t.match(await run('verify', to, ...PIN, '--auditor-key', `${keyFile}.pub`), { code: 3 });
    t.match(await run('verify', to, ...PIN, '--auditor-key', at('missing')), { code: 3, err: /key-missing/ });
  });

  const unseal = unsealWith(engine, readAuditorKey(engine, keyFile));
  const verified = () => checkExport({ engine, folder: to, logPin: LOG_PIN, unseal });
  await t.test('what was changed is found by the key, and by the manifest without it', async (t) => {
    const bundle = join(to, 'sealed/entries/000');
    const before = readFileSync(bundle);
    changeFile(bundle, (bytes) => bytes.fill(1, 5000, 5001));
    t.match(verified(), { ok: false, failures: [{ code: 'log-tile-invalid', file: 'tile/entries/000' }, {}, {}] });
    t.match(checkExport({ engine, folder: to, logPin: LOG_PIN }), {
      failures: [{ code: 'log-export-invalid', file: 'sealed/entries/000' }],
    });
    writeFileSync(bundle, before);
    rmSync(bundle);
    t.match(verified(), { ok: false, failures: [{ code: 'log-missing', file: 'tile/entries/000' }, {}] });
    writeFileSync(bundle, before);
    t.ok(verified().ok);
  });

  await more(400);
  t.match(await sealedExport(), { ok: true, epochs: [{ size: 700, records: 700 }] });
  const store = new ArchiveStore(at('archive'), LOG_PIN);
  t.teardown(() => store.close());
  t.match(takeIn(store, to, { engine, logPin: LOG_PIN, unseal }).report, { ok: true, epochs: [{ records: 700 }] });
  t.match(checkExport({ engine, folder: at('archive'), logPin: LOG_PIN }), { ok: true, epochs: [{ records: 700 }] });

  swapFiles(join(to, 'sealed/entries/000'), join(to, 'sealed/entries/001'));
  t.match(verified(), { ok: false, failures: [{ code: 'log-tile-invalid', detail: /the seal of .* another bundle/ }] });
  swapFiles(join(to, 'sealed/entries/000'), join(to, 'sealed/entries/001'));

  await more(300);
  await more(10);
  const clearBefore = join(folder, 'clear');
  t.match(await exportTo(clearBefore, 'auditor', LOG_PIN, sealTo), { ok: true, epochs: { length: 2 } });
  t.same(
    filesBelow(clearBefore).filter((path) => hasRecord(join(clearBefore, path))),
    [],
    'an export in clear that is continued sealed has none any more',
  );
  t.match(await sealedExport(), { ok: true, epochs: [{ records: 901 }, {}] });
});

t.test('what the relay has let go of stays in the export, sealed', async (t) => {
  const { sequencer, pass } = startAudit({ maxLeaves: 600 });
  await pass(0);
  const folder = t.testdir();
  const gone = new Set<string>();
  const { exportTo } = await serveAudit(t, folder, {
    mode: 'best-effort',
    get epochs() {
      return sequencer.epochs.filter((epoch) => !gone.has(epoch.origin));
    },
  });
  const [keyFile, to] = [join(folder, 'auditor.json'), join(folder, 'export')];
  makeAuditorKey(engine, keyFile);
  const sealTo = readAuditorPublicKey(`${keyFile}.pub`);
  for (let i = 0; i < 700; i++) sequencer.record(ADOPTED);
  await pass(30_000);
  await pass(30_000);
  const clear = join(folder, 'clear');
  t.match(await exportTo(to, 'auditor', LOG_PIN, sealTo), { ok: true, epochs: { length: 2 } });
  t.match(await exportTo(clear), { ok: true, epochs: { length: 2 } });
  gone.add(sequencer.epochs[0]!.origin);
  t.match(await exportTo(to, 'auditor', LOG_PIN, sealTo), { ok: true, epochs: [{ records: 0, sealed: 601 }, {}] });
  t.match(await exportTo(clear, 'auditor', LOG_PIN, sealTo), { ok: true, epochs: [{ records: 601, sealed: 0 }, {}] });
  const unseal = unsealWith(engine, readAuditorKey(engine, keyFile));
  for (const each of [to, clear]) {
    t.match(checkExport({ engine, folder: each, logPin: LOG_PIN, unseal }), {
      ok: true,
      epochs: [{ records: 601 }, {}],
    });
    t.same(
      filesBelow(each).filter((path) => hasRecord(join(each, path))),
      [],
    );
  }
});
