/** ghostpipe-provision as an operator runs it: processes, exit codes, files. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { openRoster } from '../../protocol/roster.ts';
import { readEnrolment } from '../../tools/lib/device.ts';
import { readProfile } from '../../tools/lib/profile.ts';

const MAIN = fileURLToPath(new URL('../../tools/ghostpipe/main.ts', import.meta.url));

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The last line of stdout as JSON. */
  readonly json: Record<string, unknown>;
}

/** An operator whose configuration folder is `root`/config, so that the defaults lead there. */
function operator(root: string): (line: string) => Promise<Ran> {
  const env = { ...process.env, GHOSTPIPE_CONFIG_DIR: join(root, 'config') };
  return (line) =>
    new Promise((resolve) => {
      execFile(process.execPath, [MAIN, 'provision', ...line.split(' ')], { cwd: root, env }, (error, out, err) => {
        const last = out.trim().split('\n').at(-1) ?? '';
        const json = last.startsWith('{') ? JSON.parse(last) : {};
        resolve({ code: Number(error?.code ?? 0), out, err, json });
      });
    });
}

async function plant(t: Test): Promise<{ root: string; run: (line: string) => Promise<Ran> }> {
  const root = t.testdir();
  const run = operator(root);
  const { code, err } = await run('site plant-1 --url https://127.0.0.1:1 --interval 2.5 --block-size 65536 --slots 4');
  t.equal(code, 0, err);
  return { root, run };
}

t.test('a site and its devices, from the first command to the list', async (t) => {
  const { root, run } = await plant(t);
  const site = join(root, 'config', 'site');
  t.equal(statSync(join(site, 'operator-seed')).mode & 0o777, 0o600);

  const historian = await run('device historian --role receive --zone it --group archive --out h');
  t.equal(historian.code, 0, historian.err);
  t.match(historian.out, /copy h to .*\n.*ghostpipe-provision publish/);
  const plc = await run('device plc-A1 --role send --zone ot --to archive --views 1 --json');
  t.match(plc.json, { ok: true, name: 'plc-A1', version: 3, published: false });

  const { device } = readEnrolment(engine, join(root, 'config', 'devices', 'plc-A1'));
  t.equal(device.did, plc.json.did);
  t.equal(readProfile(join(root, 'h'), 'iot').url, 'https://127.0.0.1:2');

  const { siteName, ...settings } = JSON.parse(readFileSync(join(site, 'site.json'), 'utf8'));
  const roster = openRoster(engine, readFileSync(join(site, 'relay', 'roster.json')), { ...settings, minVersion: 3 });
  t.equal(siteName, undefined);
  t.strictSame(roster.routes, [{ from: 'plc-A1', to: ['archive'], views: 1 }]);
  t.match(roster.profile, { blockSize: 65_536, intervalMs: 2500 });

  t.match(
    (await run('list')).out,
    /roster version 3, 0 revoked\nLog key of its relay: sha256\/\S+\nNAME .*\nhistorian +it +receive .*\nplc-A1 +ot +send/,
  );
  t.match((await run('list --json')).json, {
    siteName: 'plant-1',
    devices: [
      { name: 'historian', groups: ['archive'] },
      { name: 'plc-A1', to: ['archive'], serial: 3 },
    ],
  });
});

t.test('rotate, replace, revoke: each is a further roster version', async (t) => {
  const { run } = await plant(t);
  await run('device plc-A1 --role send --zone ot');
  const rotated = await run('rotate plc-A1 --json');
  t.match(rotated.json, { ok: true, version: 3 }, rotated.err);
  const replaced = await run('replace-device plc-A1 --json');
  t.match(replaced.json, { ok: true, version: 4 }, replaced.err);
  const revoked = await run('revoke plc-A1 --json');
  t.match(revoked.json, { ok: true, changed: true, version: 5 }, revoked.err);
  t.ok(existsSync(revoked.json.statement as string));
  t.match((await run('revoke plc-A1 --json')).json, { ok: true, changed: false, version: 5 });
  const { revocations, devices } = (await run('list --json')).json;
  t.equal((revocations as unknown[]).length, 3);
  t.strictSame(devices, []);
});

t.test('a refusal is a sentence, an exit code and, with --json, an object', async (t) => {
  const { run } = await plant(t);
  const { code, err, json } = await run('revoke nobody --json');
  t.equal(code, 1);
  t.match(err, /"nobody" is not a device of site plant-1 \[not-in-roster\]\n {2}\S/);
  t.match(json, { ok: false, code: 'not-in-roster' });
  t.equal((await run('frobnicate')).code, 2);
  t.equal((await run('list --dir nowhere')).code, 3);
});
