/** A backup of a site: all of it and nothing else, signed, and put back whole or not at all. */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DEFAULT_BLOCK_BYTES } from '../../protocol/block.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { backup, restore } from '../../tools/provision/backup.ts';
import { enrolDevice } from '../../tools/provision/device.ts';
import { createSite } from '../../tools/provision/new-site.ts';
import { backUpSite, readBackup, restoreSite } from '../../tools/provision/site-backup.ts';
import { captured } from '../fixtures/command.ts';

const URL = 'https://10.0.0.1:3000';
const ROOT = t.testdir();
const SITE = join(ROOT, 'site');
const FILE = join(ROOT, 'site.backup');
const NOW = Date.parse('2026-11-24T12:00:00.000Z');

t.before(() => {
  const plan = { blockSize: DEFAULT_BLOCK_BYTES, intervalMs: 15_000, slots: 8 };
  const site = createSite(engine, SITE, { name: 'plant-1', urls: { ot: URL, it: URL, management: URL }, ...plan });
  const device = { name: 'historian', roles: ['receive'], zone: 'it', to: [], groups: [] } as const;
  enrolDevice(engine, site, device, { folder: join(ROOT, 'historian'), profile: 'iot' });
  backUpSite(engine, SITE, FILE, NOW);
});

function filesBelow(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1)).sort();
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(folder, path), 'hex')]));
}

/** A copy of the backup with a text of it changed. */
function changed(name: string, find: string | RegExp, replace: string): string {
  const file = join(ROOT, name);
  const text = readFileSync(FILE, 'utf8');
  t.not(text.replace(find, replace), text);
  writeFileSync(file, text.replace(find, replace), { mode: 0o600 });
  return file;
}

t.test('it comes back as it was', async (t) => {
  const back = join(ROOT, 'back');
  t.match(restoreSite(engine, FILE, back), { siteName: 'plant-1', rosterVersion: 2, madeMs: NOW });
  t.same(filesBelow(back), filesBelow(SITE));
  t.throws(() => restoreSite(engine, FILE, back), { code: 'already-exists' });
  t.throws(() => backUpSite(engine, SITE, FILE, NOW), { code: 'already-exists' });
});

t.test('what was changed, or others may read, is refused, and nothing stands there then', async (t) => {
  const to = join(ROOT, 'never');
  const seed = toBase64Url(Buffer.from(`${toBase64Url(new Uint8Array(32).fill(3))}\n`));
  for (const [file, code] of [
    [changed('time', '"madeMs":1', '"madeMs":2'), 'signature-invalid'],
    [changed('seed', /"operator-seed":"[^"]+"/, `"operator-seed":"${seed}"`), 'operator-mismatch'],
    [changed('no-seed', /"operator-seed":"[^"]+"/, '"operator-seed":""'), 'file-invalid'],
    [changed('outside', '"grants/historian.json"', '"../historian.json"'), 'schema-invalid'],
    [changed('cut', /.{40}$/s, ''), 'json-invalid'],
    [join(ROOT, 'missing'), 'file-invalid'],
  ] as const) {
    t.throws(() => restoreSite(engine, file, to), { code }, file);
  }
  const open = changed('open', '"v":1', '"v":1 ');
  chmodSync(open, 0o644);
  t.throws(() => readBackup(engine, open), { code: 'permissions-open' });
  t.notOk(existsSync(to));
  t.same(
    readdirSync(ROOT).filter((name) => name.startsWith('.never')),
    [],
  );
});

t.test('what is no file of a site is not taken along', async (t) => {
  const strange = join(SITE, 'relay', 'a link');
  symlinkSync('/etc/hosts', strange);
  t.throws(() => backUpSite(engine, SITE, join(ROOT, 'other'), NOW), { code: 'file-invalid', detail: /move it away/ });
  rmSync(strange);
  const link = join(SITE, 'relay', 'hosts');
  symlinkSync('/etc/hosts', link);
  t.throws(() => backUpSite(engine, SITE, join(ROOT, 'other'), NOW), { code: 'file-invalid' });
  rmSync(link);
});

t.test('the commands', async (t) => {
  const file = join(ROOT, 'again.backup');
  const words = [file, '--dir', SITE];
  t.match(await captured(t, () => backup(words)), { code: 0, out: /holds the site plant-1 with roster 2, \d+ files/ });
  t.match(await captured(t, () => backup([])), { code: 2 });
  const to = ['--dir', join(ROOT, 'by-command')];
  t.match(await captured(t, () => restore([file, ...to, '--json'])), { code: 0, out: /"siteName":"plant-1"/ });
  t.match(await captured(t, () => restore([file, ...to])), { code: 3, err: /already/ });
});
