/**
 * One sealed block from `self` to `self` through the relay's real listeners: taken, given, opened, acknowledged, given to
 * nobody a second time, and recorded in the log by a signed receipt. A relay that does this does its work.
 */
import { equalBytes } from '../protocol/bytes.ts';
import { canonicalBytes } from '../protocol/canonical.ts';
import { type ControlItem, itemOf } from '../protocol/control.ts';
import type { Engine } from '../protocol/engine/engine.ts';
import { openBlock, type Recipient, sealBlock } from '../protocol/envelope.ts';
import { NO_GROUP } from '../protocol/frame.ts';
import { openKeyStatement } from '../protocol/key-statement.ts';
import { asProblem, Problem, type ProblemCode } from '../protocol/problem.ts';
import { encodeRun, NO_RUN, streamId } from '../protocol/stream.ts';
import type { Enrolment } from '../tools/lib/device.ts';
import { LogReceipts } from '../tools/lib/log-receipts.ts';
import { RelayClient } from '../tools/lib/relay-client.ts';
import type { SelfPlace } from './self-place.ts';

/** A block of a test that was cut off is gone after this. */
const TTL_SECONDS = 60;
/** Refusals of a relay that does its work and has no room, or may take nothing while its stick is missing. */
const FULL: readonly ProblemCode[] = ['slots-full', 'quota-exceeded', 'audit-unavailable', 'log-full'];

/** `full`: the relay refused as it should, and must not be rebooted for it. */
export type Verdict =
  | { readonly state: 'passed' }
  | { readonly state: 'full' | 'failed'; readonly code: ProblemCode; readonly fact: string };

export interface SelfTransferOptions {
  readonly engine: Engine;
  readonly place: SelfPlace;
  readonly enrolment: Enrolment;
  /** Monotonic ms. */
  readonly now: () => number;
}

export class SelfTransfer {
  readonly #options: SelfTransferOptions;
  readonly #session: Uint8Array;
  readonly #run: Uint8Array;
  readonly #recipient: Recipient;
  readonly #receipts: LogReceipts;
  /** What the log did wrong since the last look. */
  #logProblem: Problem | null = null;
  #blockSeq = 0;

  constructor(options: SelfTransferOptions) {
    const { engine, place, enrolment, now } = options;
    const { did, keyStatement, signer } = enrolment.device;
    this.#options = options;
    this.#recipient = openKeyStatement(engine, keyStatement, did, signer.publicKeys, 0).recipient;
    this.#session = engine.random(16);
    this.#run = encodeRun(Math.floor(now()), engine.random(8));
    this.#receipts = new LogReceipts({
      engine,
      logPin: () => place.logPin,
      files: null,
      sender: did,
      now,
      onProblem: (problem) => {
        this.#logProblem = problem;
      },
    });
  }

  /** Tests once; never throws. */
  async test(): Promise<Verdict> {
    const { place, enrolment } = this.#options;
    const clients = [place.inbound, place.claim].map(
      (url) => new RelayClient({ url, pins: [place.tlsPin], apiKey: enrolment.apiKey }),
    );
    try {
      await this.#transfer(clients[0]!, clients[1]!);
      return { state: 'passed' };
    } catch (thrown) {
      const { code, detail: fact } = asProblem(thrown);
      return { state: FULL.includes(code) ? 'full' : 'failed', code, fact };
    } finally {
      for (const client of clients) client.close();
    }
  }

  async #transfer(inbound: RelayClient, claim: RelayClient): Promise<void> {
    const { engine, place } = this.#options;
    await this.#register(inbound);
    await this.#drain(claim);

    // 1. It goes in, and the log has signed for it.
    this.#logProblem = null;
    const verified = this.#receipts.counters.logReceipts;
    const plain = engine.random(64);
    const block = this.#seal(plain);
    const { transferId } = this.#said(await inbound.submit(block), 'accepted', block);

    // 2. It comes out as it went in.
    const given = await claim.claim([this.#sessionItem()], place.blockBytes);
    const lease = this.#said(given.items, 'lease');
    if (!equalBytes(lease.transferId, transferId)) throw wrong('the relay gave another block than the one handed in');
    const { plain: read, ackSecret } = this.#open(given.block);
    if (!equalBytes(read, plain)) throw wrong('the block came out with another content than it went in with');

    // 3. Acknowledged, it comes no second time.
    const ack: ControlItem = { type: 'ack', transferId, ackSecret };
    const after = await claim.claim([this.#sessionItem(), ack], place.blockBytes);
    if (itemOf(after.items, 'lease')) throw wrong('the relay gave a block a second time after its acknowledgement');
    this.#said(after.items, 'cover');
    const status = this.#said(after.items, 'status');
    if (status.state !== 'delivered') throw wrong(`an acknowledged block is ${status.state}, not delivered`);

    // 4. The log has signed for it, by the keys of a statement that the pinned key signed; proofs of before hold.
    if (this.#logProblem) throw this.#logProblem;
    if (this.#receipts.counters.logReceipts === verified) throw wrong('the log has not signed for the block yet');
  }

  /** Also after a restart of the relay, which has forgotten everybody. */
  async #register(relay: RelayClient): Promise<void> {
    const { device, grant } = this.#options.enrolment;
    const bytes = canonicalBytes({ identity: device.identity, grant, keyStatement: device.keyStatement });
    const refusal = itemOf(await relay.membership([{ type: 'registration', bytes }]), 'problem');
    if (refusal) throw new Problem(refusal.code, 'the relay did not register the device by which it is tested');
  }

  /** Acknowledges what a test that was cut off left behind: `self` has one slot. */
  async #drain(relay: RelayClient): Promise<void> {
    const { items, block } = await relay.claim([this.#sessionItem()], this.#options.place.blockBytes);
    const lease = itemOf(items, 'lease');
    if (!lease) return;
    const { ackSecret } = this.#open(block);
    await relay.claim(
      [this.#sessionItem(), { type: 'ack', transferId: lease.transferId, ackSecret }],
      this.#options.place.blockBytes,
    );
  }

  /** The item of that type; what it says of the log is taken on the way. Refuses what the relay refuses. */
  #said<T extends ControlItem['type']>(items: readonly ControlItem[], type: T, handedIn?: Uint8Array) {
    this.#receipts.take(items, handedIn);
    const found = itemOf(items, type);
    if (found) return found;
    const refusal = itemOf(items, 'problem');
    if (refusal) throw new Problem(refusal.code, `the relay refused the test (${refusal.code})`);
    throw wrong(`the relay answered without "${type}"`);
  }

  #sessionItem(): Extract<ControlItem, { type: 'session' }> {
    return { type: 'session', sessionId: this.#session, maxLeases: 1 };
  }

  #seal(plain: Uint8Array): Uint8Array {
    const { engine, place, enrolment, now } = this.#options;
    const { device } = enrolment;
    const block = new Uint8Array(place.blockBytes);
    sealBlock(engine, block, {
      recipients: [this.#recipient],
      views: 1,
      ttlSeconds: TTL_SECONDS,
      burnAtClaim: false,
      signer: device.signer,
      fields: {
        senderDigest: device.digest,
        keyGeneration: device.generation,
        streamId: streamId(device.digest, [device.digest]),
        run: this.#run,
        previousRun: NO_RUN,
        blockSeq: this.#blockSeq++,
        firstRecord: 0,
        recordCount: 0,
        wallTimeMs: 0,
        timeQuality: 'none',
        monotonicMs: Math.floor(now()),
        expiryMs: 0,
        type: 'selftest',
        group: NO_GROUP,
      },
      plain,
    });
    return block;
  }

  #open(block: Uint8Array) {
    const { engine, enrolment } = this.#options;
    const { device } = enrolment;
    return openBlock(engine, block, {
      kemKey: (keyId) => device.kemKey(keyId),
      senderKeys: (digest) => (equalBytes(digest, device.digest) ? device.signer.publicKeys : undefined),
    });
  }
}

function wrong(fact: string): Problem {
  return new Problem('relay-answer-invalid', fact);
}
