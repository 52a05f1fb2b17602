/** The relay as a process with a tmpfs store, killed with SIGKILL at random moments under load. */
import { AssertionError } from 'node:assert';
import { createHash } from 'node:crypto';
import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type ControlItem, itemOf } from '../../protocol/control.ts';
import { toHex } from '../../protocol/text.ts';
import { Books } from '../fixtures/books.ts';
import { killRun } from '../fixtures/kill-run.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { type Missing, missingIn } from '../fixtures/recorded.ts';
import { ask, openAs, sealTo, sessionItem } from '../fixtures/relay.ts';
import {
  blocksFolder,
  connect,
  type RelayProcessOptions,
  spawnRelay,
  writeRelayConfig,
} from '../fixtures/relay-process.ts';
import { makeSite } from '../fixtures/site.ts';

/** `npm run test:long -- kill` asks for more. */
const KILLS = 15;
/** A sabotaged relay is caught at one of the first kills; the rest is for bad luck. */
const MAX_SABOTAGED_KILLS = 60;
/** Of the others one is not looked at before its end. */
const SABOTAGED_LOG_KILLS = 4;
const FAULTY = join(import.meta.dirname, '..', 'fixtures', 'faulty-relay.ts');
const TMPFS = 0x01021994;
const BLOCK_BYTES = 65_536;

t.setTimeout(180_000);

if (!existsSync('/dev/shm') || statfsSync('/dev/shm').type !== TMPFS) {
  t.not(process.getuid?.(), 0, 'these tests need a tmpfs at /dev/shm');
  process.exit();
}

/** A relay that idles as a process of its own while the tests of this file run; asks for its heads, newest first. */
const idle = startIdle();
async function startIdle() {
  const directory = t.testdir();
  const devices = [{ name: 'plc', roles: ['send'] as const, zone: 'ot' as const }];
  const site = makeSite({ directory, devices, routes: [], logQuantum: 16 });
  const listener = { zone: 'ot', address: '127.0.0.1', port: 0, tls: 'pq', calls: ['ct-sth-history'] };
  const { ready } = spawnRelay(t, writeRelayConfig(directory, site, { listeners: [listener] }));
  const { listeners, pin } = await ready;
  const peer = { host: '127.0.0.1', port: listeners[0]!.port, pins: [pin] };
  return async () => {
    const { heads } = JSON.parse((await ask(peer, { path: '/v2/ct/sth/history' })).body.toString());
    return heads as { readonly size: number; readonly seconds: number }[];
  };
}

t.test('nothing accepted is lost, nothing burned comes back, no view goes to two readers', async (t) => {
  let missing: Missing | undefined;
  const inspect = (folder: string, answered: Books): void => {
    missing = missingIn(folder, answered);
  };
  const books = await killRun(t, { directory: t.testdir(), kills: KILLS, inspect });
  const { accepted, burned } = books.counts;
  t.ok(accepted > KILLS, `${accepted} blocks were accepted`);
  t.ok(burned > 0, `${burned} were seen to burn`);
  t.same(books.lost(), [], 'accepted and never given');
  t.same(books.faults, []);
  t.match(missing, { accepted: [], burned: [] }, 'every answer has its record in the union of epochs');
  t.ok(
    missing!.accepted.length + missing!.burned.length === 0 && missing!.epochs > KILLS / 2,
    `${missing!.epochs} epochs`,
  );
});

t.test('a relay that is wrong is caught', async (t) => {
  const caught: Record<string, (books: Books) => boolean> = {
    'forgets-readers': ({ faults }) => faults.some((fault) => fault.includes(' was given to ')),
    'keeps-burned': ({ faults }) => faults.some((fault) => fault.endsWith('came back after it was burned')),
  };
  for (const [FAULT, isCaught] of Object.entries(caught)) {
    const options = { directory: t.testdir(), kills: MAX_SABOTAGED_KILLS, program: FAULTY, env: { FAULT } };
    const books = await killRun(t, options);
    t.ok(isCaught(books), `${FAULT}: ${books.faults.join('; ')}`);
  }
  const loses = { directory: t.testdir(), kills: 4, program: FAULTY, env: { FAULT: 'loses' } };
  const books = await killRun(t, loses);
  t.ok(books.lost().length > 0, 'loses');
});

t.test('a relay that answers and has no record of it is caught', async (t) => {
  for (const FAULT of ['records-late', 'forgets-records']) {
    let [missing, broken] = [0, ''];
    const inspect = (folder: string, books: Books): void => {
      try {
        const { accepted, burned } = missingIn(folder, books);
        missing = accepted.length + burned.length;
      } catch (thrown) {
        if (!(thrown instanceof AssertionError)) throw thrown;
        broken = thrown.message; // the next epoch knew of records that are gone
      }
    };
    const options = { directory: t.testdir(), kills: SABOTAGED_LOG_KILLS, program: FAULTY, env: { FAULT }, inspect };
    await killRun(t, options);
    t.ok(missing > 0 || broken !== '', `${FAULT}: ${missing} without a record ${broken}`);
  }
});

/**
 * A block is read while its sender waits for an answer that the crash swallows: the sender hands it in again. Gives the
 * books, and the answer to the second submit.
 */
async function submitAgain(t: Test, options: RelayProcessOptions) {
  const directory = t.testdir();
  const site = smallPlant(directory);
  const config = writeRelayConfig(directory, site, { store: { kind: 'tmpfs', slots: 2, path: blocksFolder(t) } });
  const books = new Books();
  const [historian, mirror] = [site.device('historian'), site.device('mirror')];
  const block = sealTo(site.device('plc'), [historian, mirror], { views: 1 });
  const hash = createHash('sha256').update(block).digest('hex');

  const first = spawnRelay(t, config, options);
  const [plc, reader] = await connect(await first.ready, site, ['plc', 'historian']);
  await plc!.submit(block);
  const { items, block: got } = await reader!.claim([sessionItem()], BLOCK_BYTES);
  const { transferId } = itemOf(items, 'lease')!;
  books.accept(hash, toHex(transferId));
  books.give(hash, 'historian');
  const ack: ControlItem = { type: 'ack', transferId, ackSecret: openAs(site, historian, got).ackSecret };
  t.match(await reader!.ack([ack]), [{ type: 'epoch' }, { type: 'status', state: 'delivered' }]);
  books.burn(hash);
  await first.kill();
  for (const client of [plc, reader]) client!.close();

  const second = spawnRelay(t, config, options);
  const [again, other] = await connect(await second.ready, site, ['plc', 'mirror']);
  const accepted = itemOf(await again!.submit(block), 'accepted')!;
  books.accept(hash, toHex(accepted.transferId));
  if (itemOf((await other!.claim([sessionItem()], BLOCK_BYTES)).items, 'lease')) books.give(hash, 'mirror');
  await second.kill();
  for (const client of [again, other]) client!.close();
  return { books, accepted };
}

t.test('a block that was read is not read again because its submit comes again after a crash', async (t) => {
  const { books, accepted } = await submitAgain(t, {});
  t.same(books.faults, []);
  t.equal(accepted.repeated, true);
});

t.test('a relay that forgets what was read is caught', async (t) => {
  const { books } = await submitAgain(t, { program: FAULTY, env: { FAULT: 'forgets-ended' } });
  t.match(books.faults, [/ was accepted as /, / was given to historian and to mirror/, / came back after/]);
});

t.test('the relay that idled meanwhile has a head each 30 seconds, each a quantum larger', async (t) => {
  const headsOf = await idle;
  let heads = await headsOf();
  for (let looks = 0; looks < 120 && heads.length < 2; looks++, heads = await headsOf()) await sleep(500);
  t.ok(heads.length >= 2);
  const gaps = heads.slice(1).map(({ seconds }, i) => heads[i]!.seconds - seconds);
  t.ok(
    gaps.every((gap) => Math.abs(gap - 30) <= 1),
    `seconds from head to head: ${gaps.join(', ')}`,
  );
  t.same(
    heads.toReversed().map(({ size }) => size),
    heads.map((_, i) => 1 + 16 * i),
  );
});
