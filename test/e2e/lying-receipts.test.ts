/** A relay that lies about deliveries, or answers what no protocol allows: no reading is let go on its word. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { ControlItem } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { signReceipt } from '../../protocol/receipt.ts';
import { encodeRun, streamId } from '../../protocol/stream.ts';
import { fromHex } from '../../protocol/text.ts';
import { lastJson, until } from '../fixtures/clients.ts';
import { accepted, type Lies } from '../fixtures/lying-relay.ts';
import { each, type Known, scene, sealedOnlyTo, stopped } from '../fixtures/lying-scene.ts';
import { type SiteDevice, seedOf } from '../fixtures/site.ts';

t.setTimeout(120_000);

/** What the sender's newest run is, as it stands in its state folder. */
function runOf({ state, sender }: Known): Uint8Array {
  const folder = join(state, sender.name, 'sender');
  return fromHex(JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), 'utf8')).run, 16);
}

/** A receipt that confirms the one reading, as `by` signs it. */
function receipt(known: Known, by: SiteDevice, changes: Partial<Parameters<typeof signReceipt>[2]> = {}): ControlItem {
  const { sender, receiver } = known;
  const bytes = signReceipt(engine, by.signer, {
    receiverDigest: by.digest,
    senderDigest: sender.digest,
    streamId: streamId(sender.digest, [receiver.digest]),
    run: runOf(known),
    serial: 1,
    nextRecord: 1,
    ranges: [],
    rejects: [],
    ...changes,
  });
  return { type: 'receipt', bytes };
}

t.test('no forged, foreign or old receipt lets a reading go', async (t) => {
  type Make = (known: Known) => ControlItem;
  const forgeries: Record<string, Make> = {
    'of the attacker': (known) => receipt(known, known.attacker),
    "of the attacker in the receiver's name": (known) =>
      receipt(known, known.attacker, { receiverDigest: known.receiver.digest }),
    'of a receiver that is not on the route': (known) => receipt(known, known.site.device('mirror')),
    'of the sender itself': (known) => receipt(known, known.sender),
    'for another stream': (known) => receipt(known, known.receiver, { streamId: seedOf('stream').subarray(0, 16) }),
    'for another sender': (known) => receipt(known, known.receiver, { senderDigest: known.attacker.digest }),
    'of an earlier run': (known) => receipt(known, known.receiver, { run: encodeRun(1, seedOf('run')) }),
    'of before the reading was committed': (known) => receipt(known, known.receiver, { nextRecord: 0 }),
    'with a byte changed': (known) => {
      const { bytes } = receipt(known, known.receiver, { nextRecord: 0 }) as { bytes: Uint8Array };
      bytes[123]! ^= 1;
      return { type: 'receipt', bytes };
    },
    'that does not parse': () => ({ type: 'receipt', bytes: new Uint8Array(3827) }),
  };
  const silent = ['of an earlier run', 'of before the reading was committed'];
  await each(forgeries, async (name, make) => {
    const stage = await scene(t, (known) => ({ inbound: () => accepted(make(known)) }));
    const sender = stage.start('sender');
    await until('the receipt given twice', () => stage.relay.heard.inbound.length >= 3, sender.stderr);
    t.match(await stopped(sender), { ok: false, delivered: 0, undelivered: 1, refused: 0 }, name);
    if (!silent.includes(name)) t.match(sender.stderr(), '[receipt-invalid]', name);
    sealedOnlyTo(t, stage, stage.receiver.recipient);
  });

  await t.test("the receiver's own receipt does", async (t) => {
    const stage = await scene(t, (known) => ({ inbound: () => accepted(receipt(known, known.receiver)) }));
    const sender = stage.start('sender');
    t.equal(await sender.ended, 0, sender.stderr());
    t.match(lastJson(sender.stdout()), { ok: true, delivered: 1, undelivered: 0 });
  });
});

t.test('answers that the protocol does not allow cost a slot and no reading', async (t) => {
  const redirect = { status: 301, headers: { location: 'https://127.0.0.1:9/' } };
  const answers: Record<string, { code: string; lies: Lies }> = {
    'a redirect of blocks': { code: 'redirect-refused', lies: { inbound: () => redirect } },
    'noise for a control frame': {
      code: 'control-invalid',
      lies: { inbound: () => ({ body: engine.random(32_768) }) },
    },
    'a short control frame': { code: 'control-invalid', lies: { inbound: () => ({ body: Buffer.from('GPC1') }) } },
    'an endless control frame': {
      code: 'relay-answer-invalid',
      lies: { inbound: () => ({ body: new Uint8Array(10_000_000) }) },
    },
    'no HTTP': { code: 'relay-answer-invalid', lies: { inbound: () => ({ raw: Buffer.from('SSH-2.0-x\r\n\r\n') }) } },
    'a hang-up': { code: 'relay-unreachable', lies: { inbound: () => ({ raw: new Uint8Array(0) }) } },
    'a refusal without a code': { code: 'relay-answer-invalid', lies: { inbound: () => ({ status: 500 }) } },
    'a refusal with a code of its own and words for the terminal': {
      code: 'relay-answer-invalid',
      lies: { inbound: () => ({ status: 400, body: Buffer.from('{"code":"toString","detail":"\u001b[2J"}') }) },
    },
    'a refusal that only the sender itself can come to': {
      code: 'relay-answer-invalid',
      lies: { inbound: () => ({ status: 400, body: Buffer.from('{"code":"spool-older"}') }) },
    },
  };
  await each(answers, async (name, { code, lies }) => {
    const stage = await scene(t, () => lies);
    const sender = stage.start('sender');
    await until('two slots', () => stage.relay.heard.inbound.length >= 2, sender.stderr);
    t.match(await stopped(sender), { ok: false, delivered: 0, undelivered: 1 }, name);
    t.match(sender.stderr(), `[${code}]`, name);
    t.notMatch(sender.stderr(), '\u001b');
  });

  await t.test('no answer at all: a second signal still ends the sender', async (t) => {
    const stage = await scene(t, () => ({ inbound: () => ({ silent: true }) }));
    const sender = stage.start('sender');
    await until('the block', () => stage.relay.heard.inbound.length > 0, sender.stderr);
    t.match(await stopped(sender), { ok: false, delivered: 0, undelivered: 1, blocks: 0 });
  });
});

t.test('a redirect at the first call is refused, and nobody goes there', async (t) => {
  let visits = 0;
  const target: Server = createServer((socket) => {
    visits += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  t.teardown(() => target.close());
  const location = `https://127.0.0.1:${(target.address() as { port: number }).port}/v2/membership`;
  const stage = await scene(t, () => ({ membership: () => ({ status: 307, headers: { location } }) }));
  for (const client of [stage.start('sender'), stage.start('receiver', [])]) {
    t.equal(await client.ended, 1);
    t.match(lastJson(client.stdout()), { ok: false, code: 'redirect-refused' });
  }
  t.equal(visits, 0);
});
