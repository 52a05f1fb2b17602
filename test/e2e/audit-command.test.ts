/** `ghostpipe-audit` as an auditor uses it: enrolled at a site, against its running relay, then with the folder alone. */
import { cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { parseLogRecord } from '../../protocol/log-record.ts';
import { parseTlogProof } from '../../protocol/tlog-proof.ts';
import { main } from '../../tools/audit/main.ts';
import { type EphemeralSite, openEphemeralSite } from '../../tools/ghostpipe/ephemeral-site.ts';
import { TRIAL_DEVICES } from '../../tools/ghostpipe/start.ts';
import { changeFile, DIDS, makeAuditExport } from '../fixtures/audit-export.ts';
import { captured } from '../fixtures/command.ts';

t.setTimeout(120_000);

function run(t: Test, ...argv: readonly string[]) {
  return captured(t, () => main(argv));
}

/** A site with its relay, which ends with the test. */
async function runSite(t: Test): Promise<EphemeralSite> {
  const site = await openEphemeralSite(engine, {
    name: 'plant',
    blockSize: 65_536,
    intervalMs: 1000,
    slots: 4,
    logLevel: 'error',
    devices: TRIAL_DEVICES,
  });
  t.teardown(() => site.close());
  return site;
}

t.test('from a running relay: export, verify, show, search, prove with the profile of the auditor', async (t) => {
  const site = await runSite(t);
  const { GHOSTPIPE_CONFIG_DIR: config, GHOSTPIPE_STATE_DIR: state } = site.environment('auditor');
  const work = t.testdir();
  const to = join(work, 'audit');
  const as = ['--device-id', 'auditor', '--config-dir', config, '--state-dir', state];
  const exported = await run(t, 'export', '--to', to, ...as);
  t.match(
    exported,
    { code: 0, out: /plant\/audit\/[0-9a-f]{32}: 1 of 1 log records hold.*VERIFIED.*exported to/s },
    exported.err,
  );
  const again = await run(t, 'export', '--to', to, ...as, '--json');
  t.match(JSON.parse(again.out), { ok: true, folder: to, epochs: [{ at: '', size: 1, records: 1 }] });

  const pin = ['--config-dir', config];
  t.match(await run(t, 'verify', to, ...pin), { code: 0, out: /VERIFIED: all/ });
  t.match(JSON.parse((await run(t, 'verify', to, ...pin, '--json', '--against', to)).out), { ok: true, failures: [] });
  t.match(await run(t, 'show', to, ...pin), {
    code: 0,
    out: /Epoch plant\/audit.*\n0 {2}20.* {2}log\.epoch\.open {2}success/s,
  });
  const out = join(work, '0.tlog-proof');
  t.match(await run(t, 'prove', to, '0', ...pin, '--out', out), { code: 0, out: /proves it under the head of size 1/ });
  t.equal(parseLogRecord(parseTlogProof(readFileSync(out)).extra!).act, 'log.epoch.open');
  t.match(await run(t, 'verify', to, '--config-dir', work), {
    code: 2,
    err: /no pin of the relay's log key: give --log-key or --relay; the operator reads it with/,
  });
  t.match(await run(t, 'export', '--to', to, '--device-id', 'nobody', '--config-dir', config), { code: 3 });
});

t.test('an archive: made, cosigned, returned, watched, told of', async (t) => {
  const site = await runSite(t);
  const { GHOSTPIPE_CONFIG_DIR: config, GHOSTPIPE_STATE_DIR: state } = site.environment('auditor');
  const work = t.testdir();
  const [to, store, key] = ['audit', 'archive', 'cosigner.json'].map((name) => join(work, name)) as [
    string,
    string,
    string,
  ];
  const as = ['--device-id', 'auditor', '--config-dir', config, '--state-dir', state];
  const pin = ['--config-dir', config];
  t.match(await run(t, 'cosigner', 'plant-archive', '--out', key), {
    code: 0,
    out: /\nplant-archive\+[0-9a-f]{8}\+\S+\n$/,
  });
  t.match(JSON.parse((await run(t, 'cosigner', 'other', '--out', join(work, 'o'), '--json')).out), { name: 'other' });
  t.match(await run(t, 'cosigner', 'a b', '--out', join(work, 'x')), { code: 2, err: /without spaces/ });
  t.match(await run(t, 'cosigner', '--out', join(work, 'x')), { code: 2, err: /NAME is missing/ });
  t.match(await run(t, 'export', '--to', to, ...as), { code: 0 });
  const archived = ['archive', to, '--into', store, '--cosigner', key, ...pin];
  t.match(await run(t, ...archived), { code: 0, out: /0 to 1 leaves, \d+ files added, cosigned\n.*ARCHIVED/s });
  t.match(JSON.parse((await run(t, ...archived, '--json')).out), { ok: true, epochs: [{ before: 1, size: 1 }] });
  t.match(await run(t, 'verify', store, ...pin), { code: 0 });
  t.match(
    await run(t, 'return', to, ...pin, '--relay', 'iot'),
    { code: 1, err: /not-available/ },
    'nobody of the roster',
  );
  t.match(await run(t, 'return', store, ...pin), { code: 3, err: /inbox/ });
  t.match(await run(t, ...archived.with(5, join(work, 'none'))), { code: 3 });
  t.match(await run(t, ...archived, '--return', join(work, 'nowhere')), { code: 1, err: /give --return DIR/ });
  const watched = ['watch', '--once', '--into', join(work, 'watched'), ...as];
  t.match(await run(t, ...watched), { code: 0, out: /1 leaves more, plant\/audit\/\S+ has 1; 0 heads cosigned/ });
  t.match(JSON.parse((await run(t, ...watched, '--json')).out), { ok: true, epochs: [{ before: 1, size: 1 }] });
  t.match(await run(t, ...watched, '--cosigner', key), { code: 1, err: /not-available/ });
  const refused = run(t, ...watched.filter((word) => word !== '--once'), '--every', '1', '--cosigner', key);
  setTimeout(() => process.emit('SIGTERM'), 1500);
  t.match(await refused, { code: 0, err: /not-available/ }, 'a relay that refuses is asked again');
  const [configCopy, stateCopy] = [join(work, 'config'), join(work, 'state')];
  cpSync(config, configCopy, { recursive: true });
  cpSync(state, stateCopy, { recursive: true });
  await site.close();
  const away = ['watch', '--into', join(work, 'watched'), '--device-id', 'auditor'];
  away.push('--config-dir', configCopy, '--state-dir', stateCopy);
  t.match(await run(t, ...away, '--once'), { code: 1, err: /relay-unreachable/ });
  const running = run(t, ...away, '--every', '1');
  setTimeout(() => process.emit('SIGTERM'), 1500);
  t.match(await running, { code: 0, err: /relay-unreachable/ }, 'a relay that is away is asked again');
  const other = makeAuditExport(join(work, 'other'), { records: [5] });
  t.match(await run(t, 'archive', other.folder, '--into', store, '--config-dir', configCopy), {
    code: 1,
    out: /Nothing was taken/,
  });
});

t.test('with a folder alone: exit codes, JSON, filters', async (t) => {
  const work = t.testdir();
  const { folder, logPin, epochs } = makeAuditExport(join(work, 'audit'), { records: [40, 700] });
  const pin = ['--log-key', logPin];
  const found = async (...filter: string[]) =>
    JSON.parse((await run(t, 'search', folder, ...pin, '--json', ...filter)).out);
  t.match(await found('--action', 'transfer.accepted'), { ok: true, count: 13 + 233 });
  t.match(await found('--category', 'audit'), {
    count: 2,
    records: [{ act: 'log.epoch.open' }, { act: 'log.epoch.open' }],
  });
  t.match(await found('--device', DIDS[0]!, '--limit', '3'), { count: 13 + 233, records: { length: 3 } });
  t.match(await found('--from', '2025-06-15T15:07:00Z', '--to', '2025-06-15T15:08:00Z'), { ok: true });
  t.match(await found('--from', '2026-01-01'), { ok: true, count: 0 });
  const { x } = JSON.parse(Buffer.from(epochs[1]!.records[4]!).toString()).obj;
  t.match(await found('--transfer', x), { count: 3, records: [{ i: 3 }, { i: 4 }, { i: 5 }] });
  t.match(await run(t, 'search', folder, ...pin, '--limit', '2'), {
    code: 0,
    out: /740 log records found, the first 2 are shown/,
  });

  const shown = JSON.parse((await run(t, 'show', folder, ...pin, '--json', '--last', '4')).out);
  t.match(shown, { newest: epochs[1]!.origin, epochs: { length: 2 }, records: [{ i: 696 }, {}, {}, { i: 699 }] });
  const old = ['--epoch', epochs[0]!.id, '--out', join(work, 'old'), '--json'];
  t.match(JSON.parse((await run(t, 'prove', folder, '39', ...pin, ...old)).out), { ok: true, index: 39, size: 40 });

  const wrong: readonly (readonly string[])[] = [
    [],
    ['nothing'],
    ['verify'],
    ['verify', folder, '--log-key', 'sha256/x'],
    ['prove', folder, ...pin],
    ['prove', folder, '700', ...pin],
    ['prove', folder, '1', ...pin, '--epoch', '00'],
    ['search', folder, ...pin, '--from', 'yesterday'],
    ['search', folder, ...pin, '--action', 'transfer'],
    ['show', folder, ...pin, '--last', '-1'],
  ];
  for (const argv of wrong) t.equal((await run(t, ...argv)).code, 2, argv.join(' '));
  t.equal((await run(t, 'verify', work, ...pin)).code, 3, 'no export');
  t.equal((await run(t, 'show', join(work, 'none'), ...pin)).code, 3);
  const other = ['--log-key', `sha256/${'A'.repeat(43)}`];
  t.match(await run(t, 'verify', folder, ...other), {
    code: 1,
    out: /FAIL {2}epoch: the log key has the pin.*NOT VERIFIED/s,
  });
  t.match(await run(t, 'show', folder, ...other), { code: 1, err: /log-epoch-invalid/ });

  changeFile(join(folder, 'tile/entries/002.p/188'), (bytes) => bytes.fill(0x41, 100, 101));
  t.match(await run(t, 'verify', folder, ...pin), {
    code: 1,
    out: /FAIL {2}tile\/entries\/002\.p\/188, leaf 512: its leaf hash is .*\[log-record-invalid\]\nNOT VERIFIED: 1 failures/,
  });
  t.match(await run(t, 'search', folder, ...pin), { code: 1, out: /NOT VERIFIED/ });
  t.match(await run(t, 'prove', folder, '512', ...pin, '--out', join(work, 'x')), { code: 1, err: /proof-invalid/ });
  t.equal(existsSync(join(work, 'x')), false, 'nothing is written that proves nothing');
});

t.test('what a stranger wrote does nothing to a terminal', async (t) => {
  const hostileText = '\u001b[2J\u001b]0;pwned\u0007\u202e\u2066';
  const hostile = (bytes: Uint8Array) => Buffer.from(Buffer.from(bytes).toString().replace('success', hostileText));
  const { folder, logPin } = makeAuditExport(join(t.testdir(), 'audit'), {
    records: [20],
    record: (_, i, bytes) => (i === 7 ? hostile(bytes) : i === 19 ? hostile(bytes) : bytes),
  });
  writeFileSync(join(folder, hostileText), 'x');
  symlinkSync('/', join(folder, `link ${hostileText}`));
  for (const argv of [['verify'], ['show'], ['search'], ['prove', '7']]) {
    const [word, ...rest] = argv as [string, ...string[]];
    const { code, out, err } = await run(t, word, folder, ...rest, '--log-key', logPin);
    t.ok(code > 0, `${word} does not say that it holds`);
    t.notMatch(out + err, /[^\x20-\x7e\n]/, `${word} prints nothing but text`);
  }
});
