/** A relay process with its audit log on a stick: real file systems, faults of the kernel, power cuts. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { smallPlant } from '../fixtures/plant.ts';
import { ask, sealTo } from '../fixtures/relay.ts';
import { blocksFolder, connect, type Place, spawnRelay, writeRelayConfig } from '../fixtures/relay-process.ts';
import type { Site } from '../fixtures/site.ts';
import { cutRun } from '../fixtures/stick-cut-run.ts';
import { makeImage, whyNoImages } from '../fixtures/stick-image.ts';
import { until } from '../fixtures/until.ts';

const ROUNDS = 2;

/** A folder in which something may be mounted until the test ends. */
function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'ghostpipe-stick-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A relay process with a stick at `folder`, and a sender. */
async function startProcess(t: Test, directory: string, site: Site, folder: string, through: readonly string[] = []) {
  const config = writeRelayConfig(directory, site, {
    store: { kind: 'tmpfs', slots: 64, path: blocksFolder(t) },
    audit: { mode: 'required', stick: { path: folder } },
  });
  const relay = spawnRelay(t, config, { through, env: { UV_THREADPOOL_SIZE: '1' } });
  const place = await relay.ready;
  const clients = await connect(place, site, ['plc', 'historian']);
  t.teardown(() => {
    for (const client of clients) client.close();
  });
  const submit = () =>
    clients[0]!.submit(sealTo(site.device('plc'), [site.device('historian')], { ttlSeconds: 1 })).then(
      () => 'taken',
      ({ code }) => code as string,
    );
  return { relay, place, submit };
}

async function healthOf({ pin, listeners }: Place): Promise<string> {
  const { port } = listeners.find(({ zone }) => zone === 'management')!;
  return (await ask({ host: '127.0.0.1', port, pins: [pin] }, { path: '/health' })).body.toString();
}

for (const kind of ['ext4', 'vfat'] as const) {
  t.test(`a stick with ${kind}`, async (t) => {
    const directory = temporaryFolder(t);
    const why = whyNoImages(kind, directory);
    if (why) return t.comment(why);
    const site = smallPlant(directory);
    const stick = makeImage(t, join(directory, 'stick'), kind, 32);
    const { place, submit, relay } = await startProcess(t, directory, site, stick.folder);
    t.equal(await submit(), 'taken');

    // Full: it goes on when there is room again.
    const filler = join(stick.folder, '..', 'filler');
    const fill = () => {
      try {
        for (;;) appendFileSync(filler, Buffer.alloc(2 ** 16));
      } catch (thrown) {
        t.equal((thrown as NodeJS.ErrnoException).code, 'ENOSPC');
      }
    };
    fill();
    await until(async () => (await submit()) === 'audit-unavailable');
    t.match(await healthOf(place), 'the stick is full');
    rmSync(filler);
    await until(async () => (await submit()) === 'taken');

    // Pulled and put back.
    stick.pull();
    await until(async () => (await submit()) === 'audit-unavailable');
    t.match(await healthOf(place), 'the stick is missing');
    stick.plug();
    await until(async () => (await submit()) === 'taken');
    await relay.kill('SIGTERM');

    // Read-only from the start.
    stick.remount('ro');
    const second = await startProcess(t, directory, site, stick.folder);
    t.equal(await second.submit(), 'audit-unavailable');
    t.match(await healthOf(second.place), 'the stick is read-only');
    stick.remount('rw');
    await until(async () => (await second.submit()) === 'taken');
    await second.relay.kill('SIGTERM');
  });

  t.test(`no acknowledged record is missing after power cuts on ${kind}`, async (t) => {
    const directory = temporaryFolder(t);
    const why = whyNoImages(kind, directory);
    if (why) return t.comment(why);
    const { receipts, faults } = await cutRun(t, { directory, kind, rounds: ROUNDS });
    t.same(faults, []);
    t.ok(receipts > 0, `${receipts} receipts`);
  });
}

for (const [call, when] of [
  ['fdatasync', '12..14'],
  ['fsync', '5..7'],
  ['rename', '2..4'],
] as const) {
  t.test(`the kernel refuses ${call}`, async (t) => {
    const directory = temporaryFolder(t);
    const site = smallPlant(directory);
    const folder = join(directory, 'stick');
    mkdirSync(folder);
    // With one thread for files the n-th call of the stick is the n-th of that thread.
    const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:error=EIO:when=${when}`];
    const words = ['strace', '-D', '-f', '-qqq', '-o', '/dev/null', ...inject];
    const { submit, place, relay } = await startProcess(t, directory, site, folder, words);
    await until(async () => (await submit()) === 'audit-unavailable');
    t.match(await healthOf(place), 'the stick is failing');
    await until(async () => (await submit()) === 'taken');
    t.match(await healthOf(place), '"auditMode":"required"');
    await relay.kill('SIGTERM');
  });
}
