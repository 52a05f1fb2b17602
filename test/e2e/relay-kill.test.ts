/** The relay as a process with a tmpfs store, killed with SIGKILL at random moments under load. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { stringify } from 'yaml';
import { type ControlItem, itemOf } from '../../protocol/control.ts';
import { toBase64Url, toHex } from '../../protocol/text.ts';
import { RelayClient } from '../../tools/lib/relay-client.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { openAs, sealTo, sessionItem } from '../fixtures/relay.ts';
import { type Site, type SiteDevice, seedOf } from '../fixtures/site.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'relay', 'main.ts');
/** A long run asks for more. */
const KILLS = Number(process.env.GHOSTPIPE_KILLS ?? 15);
const BLOCK = 65_536;
const TMPFS = 0x01021994;

interface Place {
  readonly pin: string;
  readonly listeners: readonly { readonly zone: string; readonly port: number }[];
}

/** What the two ends know, over all processes of the relay. */
class Books {
  readonly accepted = new Set<string>();
  /** Readers that got each block whole. */
  readonly given = new Map<string, Set<string>>();
  readonly burned = new Set<string>();
  readonly faults: string[] = [];

  give(id: string, reader: string): void {
    if (this.burned.has(id)) this.faults.push(`${id} came back after it was burned`);
    const readers = (this.given.get(id) ?? new Set()).add(reader);
    this.given.set(id, readers);
    if (readers.size > 1) this.faults.push(`${id} was given to two readers`);
  }
}

/** Submits until the relay is gone; a block that was not answered is not asked for. */
async function send(client: RelayClient, site: Site, books: Books): Promise<void> {
  const readers = [site.device('historian'), site.device('mirror')];
  for (;;) {
    const answer = await client.submit(sealTo(site.device('plc'), readers, { views: 1 })).catch(() => null);
    const accepted = answer && itemOf(answer, 'accepted');
    if (accepted) books.accepted.add(toHex(accepted.transferId));
    else await sleep(20);
    if (closed.has(client)) return;
  }
}

/** Claims and acknowledges, until the relay is gone or (with `drain`) nothing waits. */
async function read(client: RelayClient, site: Site, reader: SiteDevice, books: Books, drain = false): Promise<void> {
  let acks: ControlItem[] = [];
  while (!closed.has(client)) {
    const answer = await client.claim([sessionItem(4), ...acks], BLOCK).catch(() => null);
    if (!answer) {
      await sleep(20);
      continue;
    }
    for (const item of answer.items) {
      if (item.type === 'status' && item.state === 'delivered') books.burned.add(toHex(item.transferId));
    }
    acks = [];
    const lease = itemOf(answer.items, 'lease');
    if (lease) {
      books.give(toHex(lease.transferId), reader.name);
      const { ackSecret } = openAs(site, reader, answer.block);
      acks = [{ type: 'ack', transferId: lease.transferId, ackSecret }];
    } else if (drain) return;
  }
}

/** Clients whose relay is gone. */
const closed = new Set<RelayClient>();

t.test('nothing accepted is lost, nothing burned comes back, no view goes to two readers', async (t) => {
  const folder = tmpfsFolder(t);
  if (!folder) return;
  const directory = t.testdir();
  const site = smallPlant(directory);
  const config = writeConfig(directory, site, folder);
  const books = new Books();
  for (let kill = 0; kill < KILLS; kill++) {
    const child = start(config);
    // Every third dies while it starts.
    if (kill % 3 === 2) {
      await sleep(Math.random() * 600);
    } else {
      const clients = await connect(child, site);
      const [sender, historian, mirror] = clients;
      const work = [
        send(sender!, site, books),
        read(historian!, site, site.device('historian'), books),
        read(mirror!, site, site.device('mirror'), books),
      ];
      await sleep(100 + Math.random() * 500);
      child.kill('SIGKILL');
      for (const client of clients) closed.add(client);
      await Promise.all(work);
      for (const client of clients) client.close();
    }
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  // The last process gives out what is still held, after the leases of the dead ones ended.
  const child = start(config);
  t.teardown(() => child.kill('SIGKILL'));
  const clients = await connect(child, site);
  await sleep(1500);
  for (const [index, name] of [[1, 'historian'] as const, [2, 'mirror'] as const]) {
    await read(clients[index]!, site, site.device(name), books, true);
  }
  for (const client of clients) client.close();
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.ok(books.accepted.size > KILLS, `${books.accepted.size} blocks were accepted`);
  t.ok(books.burned.size > 0, `${books.burned.size} were seen to burn`);
  t.same(
    [...books.accepted].filter((id) => !books.given.has(id)),
    [],
    'accepted and never given',
  );
  t.same(books.faults, []);
});

/** A private folder in memory, or undefined after the test has said why there is none. */
function tmpfsFolder(t: Test): string | undefined {
  if (!existsSync('/dev/shm') || statfsSync('/dev/shm').type !== TMPFS) {
    t.not(process.getuid?.(), 0, 'this test needs a tmpfs at /dev/shm');
    return undefined;
  }
  const folder = mkdtempSync('/dev/shm/ghostpipe-kill-');
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

function writeConfig(directory: string, { config, rosterFile, siteId, operatorKeyHash }: Site, path: string): string {
  const seedFile = join(directory, 'relay.seed');
  writeFileSync(seedFile, `${toBase64Url(seedOf('relay'))}\n`, { mode: 0o600 });
  const file = join(directory, 'relay.yaml');
  const { listeners } = config;
  const store = { kind: 'tmpfs', slots: 16, path };
  const site = { siteId, operatorKeyHash, rosterFile };
  writeFileSync(file, stringify({ seedFile, site, store, listeners, limits: { leaseSeconds: 1, leasesPerReader: 4 } }));
  return file;
}

function start(config: string) {
  return spawn(process.execPath, [MAIN, '--config', config, '--json'], { stdio: ['ignore', 'pipe', 'ignore'] });
}

/** Registered clients of sender and readers, once the relay listens. */
async function connect(child: ReturnType<typeof start>, site: Site): Promise<RelayClient[]> {
  const [line] = await once(createInterface(child.stdout), 'line');
  const { pin, listeners } = JSON.parse(line) as Place;
  return Promise.all(
    ['plc', 'historian', 'mirror'].map(async (name) => {
      const device = site.device(name);
      const { port } = listeners.find(({ zone }) => zone === device.zone)!;
      const client = new RelayClient({ url: `https://127.0.0.1:${port}`, pins: [pin], apiKey: device.apiKey });
      await client.register(device.registration);
      return client;
    }),
  );
}
