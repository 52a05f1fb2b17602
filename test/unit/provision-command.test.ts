/** The words of ghostpipe-provision: what it refuses with which exit code, and its help. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { formatVerifierKey } from '../../protocol/note-key.ts';
import { makeAuditorKey } from '../../tools/lib/auditor-key-file.ts';
import { main } from '../../tools/provision/main.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command with `line`, in which @ stands for a folder of the test; the configuration folder is there too. */
async function run(t: Test, line: string): Promise<Ran> {
  process.env.GHOSTPIPE_CONFIG_DIR = join(t.testdirName, 'config');
  const out = t.capture(process.stdout, 'write', () => true);
  const err = t.capture(process.stderr, 'write', () => true);
  const code = await main(line.replaceAll('@', t.testdirName).split(' '));
  const [said, complained] = [out, err].map((capture) => {
    capture.restore();
    return capture()
      .map(({ args }) => String(args[0]))
      .join('');
  });
  return { code, out: said!, err: complained! };
}

t.test('refusals: a sentence, how to mend it, and the exit code', async (t) => {
  t.testdir();
  const site = await run(t, 'site plant-1 --url https://127.0.0.1:1');
  t.equal(site.code, 0, site.err);
  const plc = await run(t, 'device plc-A1 --role send --zone ot');
  t.equal(plc.code, 0, plc.err);
  const cases: readonly [line: string, exit: number, words: RegExp][] = [
    ['site plant-1 --url https://127.0.0.1:1', 1, /is not empty.*\[already-exists\]/],
    ['site plant-2 --url http://127.0.0.1:1 --dir @/x', 2, /--url: must be an https:\/\/ address with a port/],
    ['site plant-2 --url https://127.0.0.1 --dir @/x', 2, /address with a port/],
    ['site plant-2 --url https://127.0.0.1:1 --dir @/x --block-size 1000', 2, /multiple of 65536.*"1000"/],
    ['site --url https://127.0.0.1:1 --dir @/x', 2, /NAME is missing/],
    ['list --dir nowhere', 3, /nowhere holds no site.*\[config-missing\]/],
    ['device plc-A1 --role send --zone ot --out @/x', 1, /has a device or group "plc-A1"/],
    ['device ../plc --role send --zone ot', 2, /NAME: must be a name/],
    ['device plc-A2 --zone ot', 2, /--role: must be a list of 1 to 5 items/],
    ['device plc-A2 --role sned --zone ot', 2, /--role: \[0\] must be one of send, receive/],
    ['device plc-A2 --role send --zone attic', 2, /--zone: must be one of ot, it, management/],
    ['device plc-A2 --role send --zone ot --to historian', 2, /no such device or group, enrol it first/],
    ['device plc-A2 --role receive --zone it --to plc-A1', 2, /--to needs --role send/],
    ['device plc-A2 --role send --zone ot --views 2', 2, /--views needs --to/],
    ['revoke nobody', 1, /"nobody" is not a device of site plant-1/],
    ['rotate nobody', 1, /not-in-roster/],
    ['export-to', 2, /give either FILE or --remove/],
    ['export-to none.pub', 3, /none\.pub is not there/],
    ['cosigner archive', 2, /give either KEY or --remove/],
    ['cosigner archive x+y --remove', 2, /give either KEY or --remove/],
    ['cosigner archive x+y', 2, /KEY: the verifier key is not a name, a key id and a key/],
    ['cosigner archive --remove', 1, /"archive" is not a cosigner of site plant-1.*not-in-roster/],
    ['publish', 1, /127\.0\.0\.1:3 cannot be reached.*\[relay-unreachable\]/],
    ['revoke plc-A1 --publish', 1, /roster version 3 is made but not published.*later: ghostpipe-provision publish/],
    ['frobnicate', 2, /"frobnicate" is not a subcommand/],
  ];
  for (const [line, exit, words] of cases) {
    const { code, err } = await run(t, line);
    t.equal(code, exit, line);
    t.match(err, words, line);
  }
});

t.test('exports are sealed to a key, and in clear again', async (t) => {
  const folder = t.testdir();
  t.equal((await run(t, 'site plant-1 --url https://127.0.0.1:1')).code, 0);
  const file = makeAuditorKey(nativeEngine, join(folder, 'auditor.json'));
  t.match(await run(t, `export-to ${file}`), { code: 0, out: /are sealed to .*auditor\.json\.pub/ });
  t.match(await run(t, `export-to ${join(folder, 'auditor.json')}`), { code: 3, err: /is not the half of a key/ });
  t.match(await run(t, 'export-to --remove'), { code: 0, out: /are in clear/ });
  t.match(JSON.parse((await run(t, 'export-to --remove --json')).out), { ok: true, sealed: false });
});

t.test('a cosigner is named, and goes again', async (t) => {
  t.testdir();
  t.equal((await run(t, 'site plant-1 --url https://127.0.0.1:1')).code, 0);
  const { publicKey } = nativeEngine.singleKey('ml-dsa-44', new Uint8Array(32).fill(5));
  const key = formatVerifierKey(nativeEngine, { name: 'plant-archive', algorithm: 'ml-dsa-44', publicKey });
  t.match(await run(t, `cosigner archive ${key}`), {
    code: 0,
    out: /archive is a cosigner of the audit log\n.*publish/s,
  });
  const gone = await run(t, 'cosigner archive --remove --json');
  t.match(JSON.parse(gone.out), { ok: true, cosigners: [], version: 3, published: false });
});

t.test('every subcommand explains itself', async (t) => {
  for (const name of ['site', 'device', 'list', 'revoke', 'rotate', 'replace-device', 'cosigner', 'publish']) {
    const { code, out } = await run(t, `${name} --help`);
    t.equal(code, 0);
    t.match(
      out,
      new RegExp(`^ghostpipe-provision ${name}: .*usage:.*examples:\\n {2}ghostpipe-provision ${name}`, 's'),
    );
  }
  t.match((await run(t, '--help')).out, /site \| device \| list/);
});
