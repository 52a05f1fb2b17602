/** Sender and receiver run inside the test, against a real relay: what they do where no other process is needed. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { RelayClient } from '../../tools/lib/relay-client.ts';
import { main as receiver } from '../../tools/receiver/main.ts';
import { main as sender } from '../../tools/sender/main.ts';
import { captured } from '../fixtures/command.ts';
import { makePlant, type Plant } from '../fixtures/flow.ts';
import { seedOf } from '../fixtures/site.ts';

t.setTimeout(60_000);

/** Command lines for `plant`, as its processes get them. */
function lines(plant: Plant) {
  const folders = ['--config-dir', plant.config, '--state-dir', plant.path('state')];
  return {
    send: (...argv: string[]) => sender(['--device-id', 'plc-A1', '--relay', 'ot', ...folders, ...argv]),
    receive: (...argv: string[]) => receiver(['--device-id', 'historian', '--relay', 'it', ...folders, ...argv]),
  };
}

/** Runs a receiver until `work` is over. */
async function whileReceiving(run: () => Promise<number>, work: () => Promise<void>): Promise<number> {
  const running = run();
  await work();
  process.emit('SIGTERM');
  return running;
}

t.test('files go from a sender to a folder', async (t) => {
  const plant = await makePlant(t);
  const { send, receive } = lines(plant);
  const files = ['a.txt', 'b.bin'].map((name, i) => {
    const bytes = Buffer.from(
      seedOf(name)
        .toString()
        .repeat(i === 0 ? 1 : 3000),
    );
    writeFileSync(plant.path(name), bytes);
    return { name, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
  let sent: number | undefined;
  const { code, err } = await captured(t, () =>
    whileReceiving(
      () => receive('--output', plant.path('in')),
      async () => {
        sent = await send('--once', ...files.flatMap(({ name }) => ['--file', plant.path(name)]));
      },
    ),
  );
  t.strictSame([sent, code], [0, 0], err);
  for (const { name, sha256 } of files) {
    const bytes = readFileSync(plant.path('in', 'plc-A1', 'files', name));
    t.equal(createHash('sha256').update(bytes).digest('hex'), sha256, name);
  }
});

t.test('what a command line asks for and cannot get is refused before anything is sent', async (t) => {
  const plant = await makePlant(t, { receivers: ['historian', 'backup'] });
  const { send, receive } = lines(plant);
  writeFileSync(plant.path('file'), 'x');
  writeFileSync(plant.path('n'.repeat(255)), 'x');
  const file = ['--file', plant.path('file')];
  const cases: readonly [code: number, words: RegExp, run: () => Promise<number>][] = [
    [2, /either --stdin or --file/, () => send()],
    [2, /either --stdin or --file/, () => send('--stdin', ...file)],
    [2, /--device-id is missing/, () => sender(['--stdin', '--config-dir', plant.config, '--relay', 'ot'])],
    [3, /no relay profile "iot" \(it has: .*\[profile-missing\]/, () => send(...file, '--relay', 'iot')],
    [3, /\[identity-missing\]/, () => send(...file, '--device-id', 'nobody')],
    [3, /\[key-missing\]/, () => send(...file, '--key', 'pgp_x')],
    [3, /\[key-missing\]/, () => send(...file, '--key-file', plant.path('none'))],
    [
      1,
      /--interval is 15 s, the sector profile says 0\.1 s.*\[profile-mismatch\]/,
      () => send(...file, '--interval', '15'),
    ],
    [2, /--max-views must be a number from 1 to 2/, () => send(...file, '--max-views', '3')],
    [2, /--max-views must be a whole number/, () => send(...file, '--max-views', '1.5')],
    [2, /--ttl must be a number/, () => send(...file, '--ttl', '0')],
    [1, /no route from "plc-A1" to "plc-A1"|names no receiver/, () => send(...file, '--to', 'plc-A1')],
    [1, /"nowhere" is not a device/, () => send(...file, '--to', 'nowhere')],
    [3, /cannot be opened \(ENOENT\) \[file-invalid\]/, () => send('--file', plant.path('none'))],
    [3, /is not a regular file/, () => send('--file', plant.path())],
    [2, /either --output or --exec/, () => receive('--output', 'x', '--exec', 'y')],
    [2, /--count must be/, () => receive('--count', '0')],
    [1, /\[sink-failed\]/, () => receive('--output', plant.path('file', 'x'))],
    [1, /\[not-available\]/, () => receive('--device-id', 'plc-A1')],
  ];
  for (const [code, words, run] of cases) {
    const ran = await captured(t, run);
    t.equal(ran.code, code, ran.err);
    t.match(ran.err, words);
  }
  t.strictSame(plant.events, []);
});

t.test('more receivers than a block has room for are refused', async (t) => {
  const many = Array.from({ length: 60 }, (_, i) => `receiver-${i}`);
  const plant = await makePlant(t, { receivers: many });
  writeFileSync(plant.path('file'), 'x');
  const { code, err } = await captured(t, () => lines(plant).send('--file', plant.path('file')));
  t.equal(code, 1);
  t.match(err, /60 receivers leave -\d+ bytes of a block for data.*\[profile-mismatch\]/);
});

t.test('the API key comes by option, file or environment', async (t) => {
  const plant = await makePlant(t);
  const { send } = lines(plant);
  const key = plant.site.device('plc-A1').apiKey;
  writeFileSync(join(plant.config, 'devices', 'plc-A1', 'api-key'), `pgp_${'A'.repeat(43)}`);
  writeFileSync(plant.path('key'), `${key}\n`, { mode: 0o600 });
  writeFileSync(plant.path('file'), 'x');
  const fileThatIsNone = ['--file', plant.path('none')]; // refused only behind a successful registration
  const cases: readonly [argv: readonly string[], env?: string][] = [
    [['--key', key]],
    [['--key-file', plant.path('key')]],
    [[], key],
  ];
  for (const [argv, env] of cases) {
    if (env) process.env.GHOSTPIPE_KEY = env;
    const { err } = await captured(t, () => send(...fileThatIsNone, ...argv));
    delete process.env.GHOSTPIPE_KEY;
    t.match(err, '[file-invalid]');
    t.equal(err.includes('warning: --key can be seen'), argv[0] === '--key');
    t.notMatch(err, key);
  }
  t.match((await captured(t, () => send(...fileThatIsNone))).err, '[not-available]', 'the enrolled one is wrong');
});

t.test('a file that changes while it is sent is given up, said, and no part of it appears', async (t) => {
  const plant = await makePlant(t);
  const { send, receive } = lines(plant);
  writeFileSync(plant.path('big'), engine.random(400_000));
  const { code, out, err } = await captured(t, async () => {
    let sent = 0;
    await whileReceiving(
      () => receive('--output', plant.path('in')),
      async () => {
        const sending = send('--json', '--file', plant.path('big'));
        while (!plant.events.some(({ type }) => type === 'accepted')) await new Promise((next) => setImmediate(next));
        writeFileSync(plant.path('big'), 'short');
        sent = await sending;
      },
    );
    return sent;
  });
  t.equal(code, 1);
  t.match(JSON.parse(out.trimEnd().split('\n').at(-1)!), { ok: false, undelivered: 0, filesFailed: 1 });
  t.match(err, /big changed while it was sent.*\[file-not-sent\]/);
  t.throws(() => readdirSync(plant.path('in', 'plc-A1', 'files')), 'no part of it appears');
});

t.test('a damaged memory stops a client instead of being ignored', async (t) => {
  const plant = await makePlant(t);
  const mark = plant.path('state', plant.site.siteId, 'historian', 'receiver', 'x.json');
  mkdirSync(dirname(mark), { recursive: true });
  writeFileSync(mark, 'damaged');
  const { code, err } = await captured(t, () => lines(plant).receive('--output', plant.path('in')));
  t.equal(code, 3);
  t.match(err, /x\.json is not a stream mark: .*\[file-invalid\]/);
});

t.test('status and deletion of a transfer, and health, by the client', async (t) => {
  const plant = await makePlant(t);
  const client = (zone: string, device?: string) => {
    const { port } = plant.relay.listeners.find((listener) => listener.zone === zone)!;
    const apiKey = device ? { apiKey: plant.site.device(device).apiKey } : {};
    const made = new RelayClient({ url: `https://127.0.0.1:${port}`, pins: [plant.relay.pin], ...apiKey });
    t.teardown(() => made.close());
    return made;
  };
  t.match(await client('management').health(), { status: 'ready' });
  t.match(await client('management').publishRoster(plant.site.issueRoster({ version: 2 })), { version: 2 });
  await t.rejects(client('management').publishRoster(plant.site.rosterBytes), { code: 'roster-older' });
  const plc = client('ot', 'plc-A1');
  await plc.register(plant.site.device('plc-A1').registration);
  await t.rejects(plc.status(new Uint8Array(16)), { code: 'not-available' });
  await t.rejects(plc.delete(new Uint8Array(16)), { code: 'not-available' });
});
