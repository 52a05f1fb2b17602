/**
 * The uplink: one full block a slot and lane, whether there is something to say or not.
 *
 * Before a slot opens its blocks are packed and sealed; in the slot nothing happens but the exchange. A failure costs
 * the slot, never a record, and nothing is tried again inside a slot.
 */

import { equalBytes } from '../../protocol/bytes.ts';
import { itemOf } from '../../protocol/control.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { didOf } from '../../protocol/identity.ts';
import type { IdleReport, SourceState } from '../../protocol/payload.ts';
import { asProblem, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { parseReceipt, verifyReceipt } from '../../protocol/receipt.ts';
import type { Roster } from '../../protocol/roster.ts';
import { toHex } from '../../protocol/text.ts';
import type { Directory } from '../lib/directory.ts';
import type { LogReceipts } from '../lib/log-receipts.ts';
import type { Membership } from '../lib/membership.ts';
import type { RelayClient } from '../lib/relay-client.ts';
import { Renewal } from '../lib/renewal.ts';
import { refuseOtherProfile } from '../lib/sector-profile.ts';
import { type Clock, type Grid, slots } from '../lib/slot-clock.ts';
import type { Admission } from './admission.ts';
import type { Batch } from './batch.ts';
import type { Outbox } from './outbox.ts';
import type { OutgoingBlock, Sealer } from './sealer.ts';

/** A block counts as lost this long after its time to live. */
const GRACE_MS = 5_000;

export interface UplinkOptions {
  readonly engine: Engine;
  readonly relay: RelayClient;
  readonly membership: Membership;
  readonly directory: Directory;
  readonly admission: Admission;
  readonly outbox: Outbox;
  readonly sealer: Sealer;
  readonly logReceipts: LogReceipts;
  readonly streamId: Uint8Array;
  readonly run: Uint8Array;
  /** DIDs of the receivers of the route. */
  readonly recipients: readonly string[];
  readonly grid: Grid;
  readonly ttlSeconds: number;
  readonly clock: Clock;
  /** Wall time in ms, told to receivers and never decided by. */
  readonly wallMs: () => number;
  /** What the source is doing now, told in idle blocks. */
  readonly sourceState: () => SourceState;
  /** Called with each problem met; the uplink goes on. */
  readonly onProblem: (problem: Problem) => void;
  /** Called after each slot, with what went wrong in it. */
  readonly onSlot: (problem: Problem | null) => void;
}

/** What a relay refuses for what the block is, rather than for how things stand at the moment. */
const REFUSED_FOR_GOOD: readonly ProblemCode[] = [
  'not-routed',
  'views-exceeded',
  'ttl-exceeded',
  'block-size',
  'block-invalid',
];

/** A sealed block that the relay has not taken yet. */
interface PendingBlock {
  readonly batch: Batch;
  readonly block: OutgoingBlock;
}

/** One exchange a slot. */
interface Lane {
  /** Every block of the lane is built in here; it is free again when its exchange ended. */
  readonly buffer: Uint8Array;
  /**
   * Sent again as it is in the next slot when its exchange failed: it may have arrived, and the relay knows a block by
   * its bytes. So an outage leaves no hole in the numbers and no block twice.
   */
  pending: PendingBlock | null;
}

export interface UplinkCounters {
  blocks: number;
  idleBlocks: number;
  failedSlots: number;
  /** Slots that went by without an exchange: this host was busy, or stood still. */
  missedSlots: number;
  receipts: number;
  receiptsRefused: number;
}

export class Uplink {
  readonly counters: UplinkCounters = {
    blocks: 0,
    idleBlocks: 0,
    failedSlots: 0,
    missedSlots: 0,
    receipts: 0,
    receiptsRefused: 0,
  };
  /** When the relay took a block last, by the clock; undefined until it did. */
  answeredMs: number | undefined;
  readonly #options: UplinkOptions;
  readonly #renewal: Renewal;
  readonly #profile: Roster['profile'];
  #lanes: Lane[] = [];
  /** Why a block of the next slot could not be built. */
  #obstacle: Problem | null = null;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#profile = options.directory.roster.profile;
    this.#renewal = new Renewal(options.membership, options.onProblem);
  }

  /** Before the next slot it registers again: the credentials changed. */
  renewSoon(): void {
    this.#renewal.soon();
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { grid, clock, onSlot } = this.#options;
    for await (const { missed } of slots(grid, clock, signal, (number) => this.#prepare(number))) {
      this.counters.missedSlots += missed;
      onSlot(await this.#slot());
    }
  }

  /** Builds what the slot sends: whatever depends on content happens here, before it opens. */
  #prepare(number: number): void {
    const { outbox, admission, clock, sealer } = this.#options;
    this.#renewal.before(number);
    outbox.packExpired(clock.now());
    admission.flush();
    try {
      this.#provideLanes();
      const missing = sealer.missing();
      if (missing.length > 0)
        throw new Problem('no-recipient', `no key is known yet of receiver ${missing.join(', ')}`);
      for (const lane of this.#lanes) {
        if (lane.pending && !sealer.isCurrent(lane.pending.block)) this.#giveUp(lane);
        lane.pending ??= this.#sealNext(lane.buffer);
      }
      this.#obstacle = null;
    } catch (thrown) {
      this.#obstacle = asProblem(thrown);
    }
  }

  /** As many lanes as the roster of the moment says; another block or interval takes another process. */
  #provideLanes(): void {
    const { profile } = this.#options.directory.roster;
    refuseOtherProfile(this.#profile, profile);
    while (this.#lanes.length < profile.lanesUp) {
      this.#lanes.push({ buffer: new Uint8Array(profile.blockSize), pending: null });
    }
    for (const lane of this.#lanes.splice(profile.lanesUp)) if (lane.pending) this.#giveUp(lane);
  }

  async #slot(): Promise<Problem | null> {
    const ready = this.#lanes.filter(({ pending }) => pending);
    const met = await Promise.all(ready.map((lane) => this.#guarded(() => this.#exchange(lane))));
    const kept = await this.#guarded(async () => this.#options.outbox.settle());
    const problems = [this.#obstacle, ...met, kept].filter((each) => each !== null);
    if (problems.length > 0) this.counters.failedSlots += 1;
    for (const problem of problems) this.#options.onProblem(problem);
    return problems[0] ?? null;
  }

  async #exchange(lane: Lane): Promise<void> {
    const { relay, outbox, clock, ttlSeconds, logReceipts } = this.#options;
    const { batch, block } = lane.pending!;
    const items = await relay.submit(block.bytes).catch((thrown: unknown) => {
      if (REFUSED_FOR_GOOD.includes(asProblem(thrown).code)) this.#giveUp(lane);
      throw thrown;
    });
    const refusal = itemOf(items, 'problem');
    if (!refusal) {
      lane.pending = null;
      logReceipts.take(items, block.bytes);
      this.answeredMs = clock.now();
      this.counters.blocks += 1;
      if (batch.type === 'idle') this.counters.idleBlocks += 1;
      const epoch = toHex(itemOf(items, 'epoch')?.epochId ?? new Uint8Array(0));
      outbox.markAccepted(block.blockSeq, epoch, clock.now() + ttlSeconds * 1000 + GRACE_MS);
    }
    for (const item of items) if (item.type === 'receipt') this.#takeReceipt(item.bytes);
    this.#renewal.takeBeside(items);
    if (!refusal) return;
    if (REFUSED_FOR_GOOD.includes(refusal.code)) this.#giveUp(lane);
    throw new Problem(refusal.code, 'the relay did not take the block');
  }

  async #guarded(action: () => Promise<void>): Promise<Problem | null> {
    try {
      await action();
      return null;
    } catch (thrown) {
      const problem = asProblem(thrown);
      this.#renewal.noteFailure(problem);
      return problem;
    }
  }

  #sealNext(buffer: Uint8Array): PendingBlock {
    const { outbox, sealer } = this.#options;
    const batch = outbox.nextBatch(sealer.room);
    const blockSeq = outbox.take(batch);
    try {
      return { batch, block: sealer.seal(buffer, batch, blockSeq, outbox.nextSeq, () => this.#report()) };
    } catch (thrown) {
      outbox.packAnew(blockSeq);
      throw thrown;
    }
  }

  /** What an idle block says. */
  #report(): IdleReport {
    const { outbox, sourceState, wallMs } = this.#options;
    const oldest = outbox.oldestMs;
    return {
      sourceState: sourceState(),
      backlogRecords: Math.min(outbox.size, 0xffff_ffff),
      backlogAgeMs: oldest === null ? 0 : Math.max(0, Math.trunc(wallMs()) - oldest),
    };
  }

  /**
   * This block will never be taken: its records go into another one. Its number is not used again, since nothing but
   * the relay's word says that nobody has the block.
   */
  #giveUp(lane: Lane): void {
    this.#options.outbox.packAnew(lane.pending!.block.blockSeq);
    lane.pending = null;
  }

  /** A receipt counts only when a receiver of this route signed it for this very stream and run. */
  #takeReceipt(bytes: Uint8Array): void {
    const { engine, directory, membership, streamId, run, outbox } = this.#options;
    try {
      const claimed = parseReceipt(bytes);
      const onRoute = this.#options.recipients.includes(didOf(claimed.receiverDigest));
      const keys = onRoute ? directory.verifyingKeys(claimed.receiverDigest, 'receive') : undefined;
      if (!keys) throw new Problem('receipt-invalid', 'a delivery receipt is signed by no receiver of this route');
      const receipt = verifyReceipt(engine, bytes, keys);
      if (!equalBytes(receipt.senderDigest, membership.device.digest) || !equalBytes(receipt.streamId, streamId)) {
        throw new Problem('receipt-invalid', 'a delivery receipt is for another sender or stream');
      }
      if (!equalBytes(receipt.run, run)) return; // of an earlier run: nothing of it is held any more
      outbox.confirm(receipt);
      this.counters.receipts += 1;
    } catch (thrown) {
      this.counters.receiptsRefused += 1;
      this.#options.onProblem(asProblem(thrown));
    }
  }
}
