/** A relay that hands a receiver what is not for it: nothing comes out, nothing is acknowledged. */

import t from 'tap';
import { parseHeader } from '../../protocol/block.ts';
import { equalBytes } from '../../protocol/bytes.ts';
import { type ControlItem, itemOf, parseControl } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { ackCommit, sealBlock } from '../../protocol/envelope.ts';
import { NO_GROUP } from '../../protocol/frame.ts';
import { encodeRecords } from '../../protocol/payload.ts';
import { encodeRun, NO_RUN, streamId } from '../../protocol/stream.ts';
import { toHex } from '../../protocol/text.ts';
import { lastJson, until } from '../fixtures/clients.ts';
import { accepted, leased, said } from '../fixtures/lying-relay.ts';
import { scene } from '../fixtures/lying-scene.ts';
import { type SiteDevice, seedOf } from '../fixtures/site.ts';

t.setTimeout(120_000);

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
  const strangers = ['of a stranger', 'of a member that may not send'];
  const given = [...names, 'good', 'good again'];
  let session: string | undefined;
  const stage = await scene(t, () => ({
    claim: (body) => {
      const item = itemOf(parseControl(body), 'session')!;
      const now = toHex(item.sessionId);
      if (now !== (session ?? now)) given.push(...strangers.splice(0)); // what the last session left, once
      session = now;
      const name = given.shift();
      if (name === undefined || item.maxLeases === 0) return leased(65_536);
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
  const heard = (): ControlItem[] => said(stage.relay.heard.claim);
  const rejected = (): number => heard().filter(({ type }) => type === 'reject').length;
  await until('every lie', () => rejected() >= 5, running.stderr);
  running.child.kill('SIGTERM');
  t.equal(await running.ended, 0, running.stderr());

  const lines = running.stdout().trimEnd().split('\n');
  // A sender that fell silent is told of in lines of their own.
  const [first, ...rest] = lines.map((line) => JSON.parse(line)).filter((line) => !('state' in line));
  t.match(first, { sender: 'plc-A1', data: 'from plc-A1 to historian' });
  t.equal(rest.length, 1, 'one reading and the summary');
  const items = heard();
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
    [toHex(transfer('changed')), 'cannot-open'],
    [toHex(transfer('noise')), 'cannot-open'],
    [toHex(transfer('of a stranger')), 'unknown-sender'],
    [toHex(transfer('of a member that may not send')), 'unknown-sender'],
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
  t.match(lastJson(running.stdout()), { records: 0, failedSlots: 2 });
});
