/**
 * The uniform exchange on the wire: whatever is sent, refused or missing, each lane has one exchange a slot of the same
 * bytes in the same records, and nothing else on its connection. Registrations have connections and bytes of their own.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { CONTROL_BYTES } from '../../protocol/control.ts';
import { answerMs } from '../../protocol/slot-plan.ts';
import { verifyChain } from '../fixtures/audit.ts';
import { addProfile, lastJson, textOf, until } from '../fixtures/clients.ts';
import { feed, linesOf, makePlant, readings } from '../fixtures/flow.ts';
import { WireTap } from '../fixtures/wire-tap.ts';

t.setTimeout(120_000);

const BLOCK = 65_536;
/** The lanes down of the test's sector. */
const LANES = 2;
const INTERVAL_MS = 200;

t.test('idle, readings, an alarm, a file, refusals, an absent receiver: the same on the wire', async (t) => {
  const config = { limits: { slotsPerSender: 3 } };
  const plant = await makePlant(t, { site: { intervalMs: INTERVAL_MS, config } });
  const taps = await Promise.all(
    (['ot', 'it'] as const).map(async (zone) => {
      const tap = await WireTap.on(t, plant.relay.listeners.find((listener) => listener.zone === zone)!.port);
      addProfile(plant.config, `tapped-${zone}`, plant.site, `https://127.0.0.1:${tap.port}`, plant.relay.pin);
      return tap;
    }),
  );
  const [up, down] = taps as [WireTap, WireTap];
  const kept = ['--log-receipts', plant.path('kept')];
  const receive = () => plant.receiver(['--output', plant.path('out'), '--relay', 'tapped-it', '--json', ...kept]);
  const accepted = (): number => plant.events.filter(({ type }) => type === 'accepted').length;
  const acked = (): number => plant.events.filter(({ type }) => type === 'acked').length;
  const file = plant.path('outgoing', 'recipe.bin');
  const beganMs = performance.now();
  const receiver = receive();
  let reader = receiver;
  const watch = ['--watch', plant.path('outgoing'), '--settle', '0', '--relay', 'tapped-ot', '--json'];
  mkdirSync(plant.path('outgoing'));
  const sender = plant.sender(['--stdin', ...watch]);
  const scenes: Record<string, () => Promise<unknown>> = {
    idle: () => until('idle blocks', () => acked() >= 3),
    readings: async () => {
      for (const reading of readings(5)) {
        feed(sender, [reading]);
        await sleep(INTERVAL_MS);
      }
    },
    'an alarm': async () => {
      const before = acked();
      feed(sender, readings(3000, 'alarm'));
      await until('the alarm', () => acked() >= before + 4);
    },
    'a file': async () => {
      const before = acked();
      writeFileSync(file, Buffer.alloc(3 * BLOCK, 'x'));
      await until('the file', () => acked() >= before + 6);
    },
    'no receiver, and a relay that is full': async () => {
      receiver.child.kill('SIGTERM');
      await receiver.ended;
      await until('refusals', () => sender.stderr().includes('[quota-exceeded]'), sender.stderr);
      await sleep(5 * INTERVAL_MS);
    },
    'a receiver again': async () => {
      const before = accepted();
      reader = receive();
      await until('blocks', () => accepted() >= before + 4);
    },
    'a head of the log, and proofs of what it covers': async () => {
      const heads = (): number => plant.relay.conduit!.audit.view.epochs.at(-1)!.heads.length;
      const before = heads();
      await until('a head', () => heads() > before);
      await sleep(10 * INTERVAL_MS);
    },
  };
  const lane = new Set<string>();
  for (const [name, play] of Object.entries(scenes)) {
    const from = up.exchanges.length;
    await play();
    await until('exchanges', () => up.exchanges.length >= from + 3);
    const shapes = up.shapes(up.lanes(BLOCK), from);
    for (const shape of shapes) lane.add(shape);
    t.ok(shapes.length > 0, `${name}: ${shapes.join(', ')}`);
  }
  const slots = Math.ceil((performance.now() - beganMs) / INTERVAL_MS) + 1;
  t.equal(lane.size, 1, `one shape up: ${[...lane].join(', ')}`);
  t.equal(down.shapes(down.lanes(BLOCK)).length, 1, `one shape down: ${down.shapes(down.lanes(BLOCK)).join(', ')}`);
  const [asked] = up.exchanges.filter(({ request }) => request.bytes > BLOCK);
  const [claimed] = down.exchanges.filter(({ answer }) => answer.bytes > BLOCK);
  t.ok(asked!.answer.bytes - CONTROL_BYTES < 300 && claimed!.request.bytes - CONTROL_BYTES < 400, 'and little else');
  t.ok(up.mostOnOne <= slots && down.mostOnOne <= slots, `${up.mostOnOne} and ${down.mostOnOne} in ${slots} slots`);

  // Never sooner than the plan says; later it may be, on a busy machine.
  const over = (tap: WireTap) => tap.exchanges.filter(({ answer }) => answer.records > 0);
  const soonest = Math.min(
    ...[up, down].flatMap((tap) => over(tap).map(({ answeredMs, askedMs }) => answeredMs - askedMs)),
  );
  t.ok(soonest >= answerMs(INTERVAL_MS) - 1, `the soonest answer came after ${soonest} ms`);

  t.equal(up.lanes(BLOCK).size, 1, 'one connection for all submits');
  t.equal(down.lanes(BLOCK).size, 2 * LANES, 'one for the claims of each lane, of two receivers');
  for (const tap of [up, down]) {
    const aside = tap.exchanges.filter(({ connection }) => !tap.lanes(BLOCK).has(connection));
    t.ok(aside.length >= 2);
    t.equal(
      new Set(aside.map(({ connection }) => connection)).size,
      aside.length,
      'a connection for each registration',
    );
    const shapes = new Set(aside.map(({ request, answer }) => `${request.bytes} ${answer.bytes}`));
    t.equal(shapes.size, 1, `one shape: ${[...shapes].join(', ')}`);
  }

  sender.child.stdin!.end();
  sender.child.kill('SIGTERM');
  t.equal(await sender.ended, 0, sender.stderr());
  const sent = lastJson(sender.stdout()) as Record<string, number>;
  t.match(sent, { ok: true, delivered: 3005 + 4, filesDelivered: 1, logReceiptsRefused: 0, logReceiptsUnproved: 0 });
  t.ok(sent.logReceiptsProved! >= 10, `${sent.logReceiptsProved} log receipts are proved`);
  reader.child.kill('SIGTERM');
  await reader.ended;
  const read = lastJson(reader.stdout()) as Record<string, number>;
  t.match(read, { logReceiptsRefused: 0, logReceiptsUnproved: 0, logReceiptsContradicted: 0 });
  t.ok(read.logReceiptsProved! >= 1, `${read.logReceiptsProved} at the receiver`);
  t.ok(linesOf(sender.stderr()).some((line) => line.includes('[quota-exceeded]')));
});

t.test(
  'a suspended sender, a broken link, a relay that starts anew: nothing is lost, and no burst follows',
  async (t) => {
    const plant = await makePlant(t, { site: { intervalMs: INTERVAL_MS } });
    const { port } = plant.relay.listeners.find(({ zone }) => zone === 'ot')!;
    const tap = await WireTap.on(t, port);
    addProfile(plant.config, 'tapped', plant.site, `https://127.0.0.1:${tap.port}`, plant.relay.pin);
    const receiver = plant.receiver(['--output', plant.path('out'), '--json']);
    const sender = plant.sender(['--stdin', '--relay', 'tapped', '--json']);
    const status = () => textOf(plant.path('out', 'plc-A1', 'status.json'));
    let fed = 0;
    const reading = (): void => feed(sender, [`temperature ${fed++}`]);
    const acked = (): number => plant.events.filter(({ type }) => type === 'acked').length;
    const flows = (what: string) => {
      const before = acked();
      reading();
      return until(`blocks again after ${what}`, () => acked() >= before + 4, sender.stderr);
    };
    await flows('the start');

    const slots = 20;
    sender.child.kill('SIGSTOP');
    await until('the silence', () => status().includes('"stale"'), receiver.stderr);
    await sleep(slots * INTERVAL_MS);
    const [first, atMs] = [tap.exchanges.length, performance.now()];
    sender.child.kill('SIGCONT');
    await flows('the suspension');
    await until('its end', () => status().includes('"live"'), receiver.stderr);
    const passed = (performance.now() - atMs) / INTERVAL_MS;
    const exchanged = tap.exchanges.slice(first).filter(({ request }) => request.bytes > BLOCK).length;
    t.ok(exchanged <= passed + 1, `${exchanged} exchanges in ${passed} slots`);

    tap.cut();
    await flows('the cut');
    await plant.stopRelay(); // with a last head over everything
    const records = verifyChain(t, plant.relay.conduit!.audit.view.epochs, plant.relay.logPin);
    const missed = records.filter(
      ({ act, src }) => act === 'slot.missed' && src.id === plant.site.device('plc-A1').did,
    );
    const most = Math.max(...missed.map(({ obj }) => (obj as { count: number }).count));
    t.ok(most >= slots, `the audit log says that ${most} slots were missed in a row`);
    for (let i = 0; i < 5; i++) {
      reading();
      await sleep(INTERVAL_MS);
    }
    await plant.startRelay();
    await flows('the restart');

    sender.child.stdin!.end();
    t.equal(await sender.ended, 0, sender.stderr());
    const last = lastJson(sender.stdout()) as Record<string, number>;
    t.match(last, { ok: true, delivered: fed, undelivered: 0 });
    t.ok(last.missedSlots! >= slots, `${last.missedSlots} slots were missed`);
    receiver.child.kill('SIGTERM');
    t.equal(await receiver.ended, 0, receiver.stderr());
    t.match(lastJson(receiver.stdout()), { records: fed, missingRecords: 0, missingBlocks: 0 });
  },
);
