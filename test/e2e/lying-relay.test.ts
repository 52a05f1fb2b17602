/**
 * A relay that lies about identities, keys, rosters and receipts: nothing is sealed to a key that the operator and its
 * owner did not name, no reading is let go on the relay's word, and every lie has its stable code.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseHeader } from '../../protocol/block.ts';
import { equalBytes } from '../../protocol/bytes.ts';
import { canonicalBytes } from '../../protocol/canonical.ts';
import type { ControlItem } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { ackCommit, keyIdOf, openBlock, type Recipient, sealBlock } from '../../protocol/envelope.ts';
import { NO_GROUP } from '../../protocol/frame.ts';
import { signKeyStatement } from '../../protocol/key-statement.ts';
import { encodeRecords } from '../../protocol/payload.ts';
import { signReceipt } from '../../protocol/receipt.ts';
import { encodeRun, NO_RUN, streamId } from '../../protocol/stream.ts';
import { fromHex, toHex } from '../../protocol/text.ts';
import { Directory } from '../../tools/lib/directory.ts';
import { addProfile, enrol, lastJson, type Running, startTool, until } from '../fixtures/clients.ts';
import { accepted, type Lies, type LyingRelay, leased, said, startLyingRelay } from '../fixtures/lying-relay.ts';
import { codeOf } from '../fixtures/protocol.ts';
import { makeSite, type Site, type SiteDevice, seedOf } from '../fixtures/site.ts';

t.setTimeout(120_000);
/** Scenes that play at the same time: each mostly waits. */
const AT_ONCE = 5;
const FOLDER = t.testdir();

interface Scene {
  readonly site: Site;
  readonly relay: LyingRelay;
  readonly state: string;
  readonly sender: SiteDevice;
  readonly receiver: SiteDevice;
  /** An identity of the attacker's own, in no roster of this operator. */
  readonly attacker: SiteDevice;
  start(tool: 'sender' | 'receiver', argv?: readonly string[]): Running;
}

const SITE = {
  devices: [
    { name: 'plc-A1', roles: ['send'], zone: 'ot' },
    { name: 'historian', roles: ['receive'], zone: 'it' },
    { name: 'mirror', roles: ['receive'], zone: 'it' },
    { name: 'silent', roles: ['receive'], zone: 'it' },
  ],
  routes: [{ from: 'plc-A1', to: ['historian'] }],
  intervalMs: 100,
} as const;

let scenes = 0;

/** A site with a relay that tells these lies; each scene has folders of its own. */
async function scene(t: Test, lies: (scene: Omit<Scene, 'relay' | 'start'>) => Lies): Promise<Scene> {
  const folder = join(FOLDER, `scene-${scenes++}`);
  mkdirSync(folder);
  const site = makeSite({ directory: folder, ...SITE });
  const [config, states] = [join(folder, 'config'), join(folder, 'states')];
  const state = join(states, site.siteId);
  mkdirSync(config);
  const [sender, receiver] = [site.device('plc-A1'), site.device('historian')];
  for (const device of [sender, receiver]) enrol(config, site, device);
  const known = { site, state, sender, receiver, attacker: site.stranger('mallory') };
  const relay = await startLyingRelay(t, site, lies(known));
  addProfile(config, 'iot', site, relay.url, relay.pin);
  const start: Scene['start'] = (tool, argv) => {
    const name = tool === 'sender' ? sender.name : receiver.name;
    const given = argv ?? ['--file', join(import.meta.dirname, 'lying-relay.test.ts'), '--once'];
    const folders = ['--config-dir', config, '--state-dir', states];
    return startTool(t, tool, ['--device-id', name, '--json', ...folders, ...given]);
  };
  return { ...known, relay, start };
}

/** The attacker's KEM key opens nothing, and nobody's key but `wanted` stands in any block. */
function sealedOnlyTo(t: Test, { relay, attacker }: Scene, wanted: Recipient): void {
  const keyIds = relay.heard.inbound.flatMap((block) => parseHeader(block).stanzas.map(({ keyId }) => toHex(keyId)));
  t.strictSame([...new Set(keyIds)], [toHex(wanted.keyId)], 'sealed to the receiver alone');
  const reader = { kemKey: () => attacker.kemKey, senderKeys: () => undefined };
  const codes = relay.heard.inbound.map((block) => codeOf(() => openBlock(engine, new Uint8Array(block), reader)));
  t.strictSame([...new Set(codes)], ['wrap-invalid'], 'the attacker opens nothing');
}

/** Plays every case of a table, a few at a time; `play` gets its name for its assertions. */
async function each<T>(
  cases: Readonly<Record<string, T>>,
  play: (name: string, entry: T) => Promise<void>,
): Promise<void> {
  const waiting = Object.entries(cases);
  const next = async (): Promise<void> => {
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) await play(...entry);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

/** Ends a sender that still waits, and gives what it reports. */
async function stopped(running: Running): Promise<Record<string, unknown>> {
  running.child.kill('SIGTERM');
  const again = setInterval(() => running.child.kill('SIGTERM'), 300); // counts as soon as it is no echo
  await running.ended;
  clearInterval(again);
  return lastJson(running.stdout());
}

/** What the relay says of `did`: identity and key statement. */
function word(identity: object, keyStatement: unknown) {
  return { body: canonicalBytes({ identity, keyStatement }) };
}

t.test('keys that the receiver did not sign reach nobody', async (t) => {
  const lies: Record<string, { code: string; did: (scene: Omit<Scene, 'relay' | 'start'>) => Lies['did'] }> = {
    "the attacker's own identity": {
      code: 'did-mismatch',
      did:
        ({ attacker }) =>
        () =>
          word(attacker.identity, attacker.keyStatement),
    },
    "the attacker's KEM key, signed by the attacker under the receiver's name": {
      code: 'signature-invalid',
      did:
        ({ attacker, receiver }) =>
        () =>
          word(
            receiver.identity,
            signKeyStatement(engine, attacker.signer, receiver.did, 9, attacker.kemKey.publicKey),
          ),
    },
    "the attacker's honest statement with the receiver's identity": {
      code: 'signature-invalid',
      did:
        ({ attacker, receiver }) =>
        () =>
          word(receiver.identity, attacker.keyStatement),
    },
    "another member's identity and key": {
      code: 'did-mismatch',
      did:
        ({ site }) =>
        () =>
          word(site.device('mirror').identity, site.device('mirror').keyStatement),
    },
    "the receiver's statement with another key put in": {
      code: 'signature-invalid',
      did:
        ({ attacker, receiver }) =>
        () => {
          const { signatures } = receiver.keyStatement as { signatures: object };
          const { signed } = attacker.keyStatement as { signed: object };
          return word(receiver.identity, { signed: { ...signed, did: receiver.did }, signatures });
        },
    },
    'nothing that has the shape': {
      code: 'schema-invalid',
      did: () => () => ({ body: Buffer.from('{"identity":7}') }),
    },
    'no JSON': { code: 'relay-answer-invalid', did: () => () => ({ body: Buffer.from('<html>') }) },
    null: { code: 'schema-invalid', did: () => () => ({ body: Buffer.from('null') }) },
  };
  await each(lies, async (name, { code, did }) => {
    const stage = await scene(t, (known) => ({ did: did(known)! }));
    const sender = stage.start('sender');
    await until('the lie told twice', () => stage.relay.heard.did.length >= 3, sender.stderr);
    t.match(await stopped(sender), { ok: false, records: 1, delivered: 0, undelivered: 1, blocks: 0 }, name);
    t.match(sender.stderr(), `[${code}]`, name);
    t.match(sender.stderr(), '[no-recipient]');
    t.strictSame(stage.relay.heard.inbound, [], 'no block left the sender');
  });
});

t.test('an older key statement than the one seen before is refused, also after a restart', async (t) => {
  const newKey = engine.kemKey(seedOf('second generation'));
  const stage = await scene(t, () => ({}));
  const { site, state, sender, receiver } = stage;
  const directory = new Directory(engine, site, join(state, sender.name), site.rosterBytes);
  const keyStatement = signKeyStatement(engine, receiver.signer, receiver.did, 2, newKey.publicKey);
  directory.acceptPeer(receiver.did, { identity: receiver.identity, keyStatement });
  const running = stage.start('sender'); // the relay serves generation 1
  await until('blocks', () => stage.relay.heard.inbound.length >= 2, running.stderr);
  t.match(await stopped(running), { ok: false, undelivered: 1 });
  t.match(running.stderr(), '[statement-older]');
  sealedOnlyTo(t, stage, { keyId: keyIdOf(engine, newKey.publicKey), publicKey: newKey.publicKey });
});

t.test('a roster that is older, or of another operator, or changed, stops the client', async (t) => {
  const other = (directory: string) => makeSite({ directory, ...SITE, name: 'plant-1' });
  const lies: Record<string, { code: string; bytes: (site: Site, folder: string) => Uint8Array }> = {
    'an older one': { code: 'roster-older', bytes: (site) => site.rosterBytes },
    "one of the attacker's operator": {
      code: 'operator-mismatch',
      bytes: (_site, folder) => makeSite({ directory: folder, ...SITE, name: 'plant-2' }).issueRoster({ version: 99 }),
    },
    "one signed by another under the operator's keys": {
      code: 'signature-invalid',
      bytes: (site) => {
        const changed = JSON.parse(Buffer.from(site.issueRoster({ version: 99 })).toString());
        changed.signed.devices[1].did = site.stranger('mallory').did;
        return canonicalBytes(changed);
      },
    },
    'one of another site of the operator': {
      code: 'site-mismatch',
      bytes: (site) => site.issueRoster({ version: 99, siteId: '0'.repeat(32) }),
    },
    'no roster': { code: 'json-invalid', bytes: () => Buffer.from('{') },
  };
  await each(lies, async (name, { code, bytes }) => {
    const stage = await scene(t, ({ site }) => ({ roster: () => ({ body: bytes(site, FOLDER) }) }));
    const { site, state } = stage;
    for (const device of [stage.sender, stage.receiver]) {
      const seen = new Directory(engine, site, join(state, device.name), site.rosterBytes);
      seen.acceptRoster(other(FOLDER).issueRoster({ version: 2 }));
    }
    for (const client of [stage.start('sender'), stage.start('receiver', [])]) {
      t.equal(await client.ended, 1, client.stderr());
      t.match(lastJson(client.stdout()), { ok: false, code }, name);
    }
    t.strictSame(stage.relay.heard.inbound, []);
    t.strictSame(stage.relay.heard.claim, []);
  });
});

/** What the sender's newest run is, as it stands in its state folder. */
function runOf({ state, sender }: Pick<Scene, 'state' | 'sender'>): Uint8Array {
  const folder = join(state, sender.name, 'sender');
  return fromHex(JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), 'utf8')).run, 16);
}

/** A receipt that confirms everything, as `by` signs it. */
function receipt(
  known: Omit<Scene, 'relay' | 'start'>,
  by: SiteDevice,
  changes: Partial<Parameters<typeof signReceipt>[2]> = {},
): ControlItem {
  const { sender, receiver } = known;
  const bytes = signReceipt(engine, by.signer, {
    receiverDigest: by.digest,
    senderDigest: sender.digest,
    streamId: streamId(sender.digest, [receiver.digest]),
    run: runOf(known),
    serial: 1,
    nextRecord: 1_000_000,
    ranges: [],
    rejects: [],
    ...changes,
  });
  return { type: 'receipt', bytes };
}

t.test('no forged, foreign or old receipt lets a reading go', async (t) => {
  type Make = (known: Omit<Scene, 'relay' | 'start'>) => ControlItem;
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
  const location = `https://127.0.0.1:${(target.address() as { port: number }).port}/v2/did/register`;
  const stage = await scene(t, () => ({ register: () => ({ status: 307, headers: { location } }) }));
  for (const client of [stage.start('sender'), stage.start('receiver', [])]) {
    t.equal(await client.ended, 1);
    t.match(lastJson(client.stdout()), { ok: false, code: 'redirect-refused' });
  }
  t.equal(visits, 0);
});

t.test('a receiver takes only what a member sealed to it, once, and acknowledges nothing else', async (t) => {
  const transfer = (name: string): Uint8Array => seedOf(name).subarray(0, 16);
  const names = ['not for it', 'of a stranger', 'of a member that may not send', 'changed', 'noise', 'swapped'];
  let block: Record<string, Uint8Array> = {};
  const lease = (name: string, bytes: Uint8Array, claimed = bytes) => {
    const blockSha256 = engine.sha256(claimed);
    return leased(bytes.length, bytes, [
      { type: 'lease', transferId: transfer(name), blockSha256, attempt: 1, leaseMs: 60_000 },
    ]);
  };
  const stage = await scene(t, () => ({
    claim: (_body, before) => {
      const name = [...names, 'good', 'good again'][before];
      if (name === undefined) return leased(65_536);
      if (name === 'swapped') return lease(name, block.good!, block['not for it']!);
      return lease(name, block[name === 'good again' ? 'good' : name]!);
    },
  }));
  const { sender, receiver, attacker, site } = stage;
  const seal = (from: SiteDevice, to: SiteDevice, blockSeq: number): Uint8Array => {
    const bytes = new Uint8Array(65_536);
    sealBlock(engine, bytes, {
      recipients: [to.recipient],
      views: 1,
      ttlSeconds: 60,
      burnAtClaim: false,
      signer: from.signer,
      plain: encodeRecords([{ seq: blockSeq, wallTimeMs: 0, bytes: Buffer.from(`from ${from.name} to ${to.name}`) }]),
      fields: {
        senderDigest: from.digest,
        keyGeneration: 1,
        streamId: streamId(from.digest, [to.digest]),
        run: encodeRun(1, seedOf('run')),
        previousRun: NO_RUN,
        blockSeq,
        firstRecord: blockSeq,
        recordCount: 1,
        wallTimeMs: 0,
        timeQuality: 'none',
        monotonicMs: 0,
        expiryMs: 0,
        type: 'records',
        group: NO_GROUP,
      },
    });
    return bytes;
  };
  const changed = seal(sender, receiver, 1);
  changed[60_000]! ^= 1;
  block = {
    'not for it': seal(sender, attacker, 2),
    'of a stranger': seal(attacker, receiver, 3),
    'of a member that may not send': seal(site.device('mirror'), receiver, 4),
    changed,
    noise: engine.random(65_536),
    good: seal(sender, receiver, 0),
  };
  const running = stage.start('receiver', []);
  const claims = (): number => stage.relay.heard.claim.length;
  await until('every lie and two covers', () => claims() >= names.length + 4, running.stderr);
  running.child.kill('SIGTERM');
  t.equal(await running.ended, 0, running.stderr());

  const [first, ...rest] = running.stdout().trimEnd().split('\n');
  t.match(JSON.parse(first!), { sender: 'plc-A1', data: 'from plc-A1 to historian' });
  t.equal(rest.length, 1, 'one reading and the summary');
  const items = said([...stage.relay.heard.claim, ...stage.relay.heard.ack]);
  const acks = items.flatMap((item) => (item.type === 'ack' ? [item] : []));
  t.strictSame(
    acks.map(({ transferId }) => toHex(transferId)),
    ['good', 'good again'].map((name) => toHex(transfer(name))),
  );
  const commit = parseHeader(block.good!).stanzas[0]!.ackCommit;
  for (const { ackSecret } of acks) t.ok(equalBytes(ackCommit(engine, ackSecret), commit));
  const rejects = items.flatMap((item) => (item.type === 'reject' ? [[toHex(item.transferId), item.code]] : []));
  t.strictSame(rejects, [
    [toHex(transfer('not for it')), 'cannot-open'],
    [toHex(transfer('of a stranger')), 'unknown-sender'],
    [toHex(transfer('of a member that may not send')), 'unknown-sender'],
    [toHex(transfer('changed')), 'cannot-open'],
    [toHex(transfer('noise')), 'cannot-open'],
  ]);
  t.match(running.stderr(), '[hash-mismatch]');
});

t.test('a receiver survives answers to its claims that the protocol does not allow', async (t) => {
  const stage = await scene(t, () => ({
    claim: (_body, before) => {
      if (before === 0) return { body: new Uint8Array(100) };
      if (before === 1) return { body: new Uint8Array(65_536 + 32_768) };
      if (before === 2) return { body: Buffer.concat([new Uint8Array(65_536), accepted().body!]) };
      return leased(65_536);
    },
  }));
  const running = stage.start('receiver', []);
  await until('a cover after all', () => stage.relay.heard.claim.length >= 5, running.stderr);
  running.child.kill('SIGTERM');
  t.equal(await running.ended, 0);
  t.match(running.stderr(), '[relay-answer-invalid]');
  t.match(running.stderr(), '[control-invalid]');
  t.match(running.stderr(), 'neither a lease nor a cover');
  t.match(lastJson(running.stdout()), { records: 0, failedSlots: 3 });
});
