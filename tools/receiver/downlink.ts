/**
 * The downlink: one claim a slot and lane, whether anything waits or not. Each says what became of the blocks before,
 * and brings a block or a cover. What is done with a block goes on beside the slots and delays none of them.
 */
import { type ControlItem, itemOf } from '../../protocol/control.ts';
import { fillControl } from '../../protocol/control-room.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import type { Roster } from '../../protocol/roster.ts';
import { toHex } from '../../protocol/text.ts';
import type { Directory } from '../lib/directory.ts';
import type { LogReceipts } from '../lib/log-receipts.ts';
import type { Membership } from '../lib/membership.ts';
import type { RelayClient } from '../lib/relay-client.ts';
import { Renewal } from '../lib/renewal.ts';
import { refuseOtherProfile } from '../lib/sector-profile.ts';
import { type Clock, type Grid, slots } from '../lib/slot-clock.ts';
import type { Intake, Lease } from './intake.ts';

/** Blocks that a lane may have in hand: one that comes while the last is committed. */
const IN_HAND = 2;

export interface DownlinkOptions {
  readonly relay: RelayClient;
  readonly membership: Membership;
  /** Null when none are kept. */
  readonly logReceipts: LogReceipts | null;
  readonly directory: Directory;
  readonly intake: Pick<Intake, 'take' | 'takeAgain'>;
  /** A random session id. */
  readonly newSessionId: () => Uint8Array;
  readonly grid: Grid;
  readonly clock: Clock;
  readonly onProblem: (problem: Problem) => void;
  /** Called after each slot, with what went wrong in it. */
  readonly onSlot: (problem: Problem | null) => void;
  /** Asked after each block: true to end. */
  readonly isDone: () => boolean;
  /** Ends also what is said at the end. */
  readonly forced: AbortSignal;
}

export class Downlink {
  covers = 0;
  failedSlots = 0;
  /** Slots that went by without an exchange: this host was busy, or stood still. */
  missedSlots = 0;
  /** When the relay answered last, by the clock; undefined until it did. */
  answeredMs: number | undefined;
  readonly #options: DownlinkOptions;
  readonly #profile: Roster['profile'];
  readonly #renewal: Renewal;
  readonly #done = new AbortController();
  /** Acks, rejects and receipts that the relay has not answered yet, the oldest first. */
  #pending: ControlItem[] = [];
  /** What each lane says in the next slot. */
  #frames: ControlItem[][] = [];
  /** Transfers whose blocks are here and not judged yet. */
  readonly #inHand = new Set<string>();
  /** Blocks that were judged, and how many that were when the last slot began. */
  #judged = { now: 0, before: 0 };
  /** Ends when the blocks in hand are judged, one after the other. */
  #judging: Promise<void> = Promise.resolve();
  /** Of this start, or since a claim or its block failed: the relay then gives again at once what it had leased. */
  #sessionId: Uint8Array;
  /** Blocks that were put off wait for their turn to be looked at again. */
  #looksAgain = false;
  #isEnding = false;
  #obstacle: Problem | null = null;

  constructor(options: DownlinkOptions) {
    this.#options = options;
    this.#profile = options.directory.roster.profile;
    this.#sessionId = options.newSessionId();
    this.#renewal = new Renewal(options.membership, options.onProblem);
  }

  /** Whether a block has been in hand for a whole slot and none was judged meanwhile: the sink stands still. */
  get standsStill(): boolean {
    return this.#inHand.size > 0 && this.#judged.now === this.#judged.before;
  }

  /** Before the next slot it registers again: the credentials changed. */
  renewSoon(): void {
    this.#renewal.soon();
  }

  /** Runs until `signal` aborts or `isDone`; then says what is still to be said, in the slots that follow. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#claimUntil(AbortSignal.any([signal, this.#done.signal]), () => false);
    await this.#judging;
    this.#isEnding = true;
    if (this.#pending.length > 0)
      await this.#claimUntil(this.#options.forced, (failed) => failed || this.#pending.length === 0);
  }

  async #claimUntil(signal: AbortSignal, isOver: (failed: boolean) => boolean): Promise<void> {
    const { grid, clock, onSlot } = this.#options;
    for await (const { missed } of slots(grid, clock, signal, (number) => this.#prepare(number))) {
      this.missedSlots += missed;
      const problem = await this.#slot();
      onSlot(problem);
      this.#judged.before = this.#judged.now;
      if (isOver(problem !== null)) return;
    }
  }

  /** Decides what each lane will say. */
  #prepare(number: number): void {
    const { profile } = this.#options.directory.roster;
    this.#renewal.before(number);
    if (!this.#looksAgain) this.#judge(() => this.#takeAgain());
    this.#looksAgain = true;
    try {
      refuseOtherProfile(this.#profile, profile);
      this.#obstacle = null;
    } catch (thrown) {
      this.#obstacle = asProblem(thrown);
    }
    const maxLeases = this.#isEnding ? 0 : IN_HAND * profile.lanesDown;
    const session = { type: 'session', sessionId: this.#sessionId, maxLeases } as const;
    let rest: readonly ControlItem[] = this.#pending;
    this.#frames = Array.from({ length: profile.lanesDown }, () => {
      const { fits, left } = fillControl([session, ...rest]);
      rest = left;
      return fits;
    });
  }

  async #slot(): Promise<Problem | null> {
    const met = await Promise.all(this.#frames.map((frame) => this.#claim(frame)));
    const problems = [this.#obstacle, ...met].filter((each) => each !== null);
    if (problems.length > 0) this.failedSlots += 1;
    for (const problem of problems) this.#options.onProblem(problem);
    return problems[0] ?? null;
  }

  /** One exchange; gives what went wrong in it. */
  async #claim(frame: readonly ControlItem[]): Promise<Problem | null> {
    const { relay, clock } = this.#options;
    try {
      const { block, items } = await relay.claim(frame, this.#profile.blockSize);
      this.#pending = this.#pending.filter((item) => !frame.includes(item));
      this.answeredMs = clock.now();
      this.#reportRefusals(items);
      this.#options.logReceipts?.take(items);
      this.#renewal.takeBeside(items);
      const lease = itemOf(items, 'lease');
      if (lease) this.#takeInHand(block, lease);
      else if (itemOf(items, 'cover')) this.covers += 1;
      else throw new Problem('relay-answer-invalid', 'a claim was answered by neither a lease nor a cover');
      return null;
    } catch (thrown) {
      const problem = asProblem(thrown);
      this.#getAgain();
      this.#renewal.noteFailure(problem);
      return problem;
    }
  }

  /** Has a block judged. One that is given again while it is here needs no second look. */
  #takeInHand(block: Uint8Array, lease: Lease): void {
    const { intake, isDone } = this.#options;
    const id = toHex(lease.transferId);
    if (this.#inHand.has(id)) return;
    this.#inHand.add(id);
    this.#judge(async () => {
      try {
        return isDone() ? [] : await intake.take(block, lease);
      } finally {
        this.#inHand.delete(id);
        this.#judged.now += 1;
      }
    });
  }

  #takeAgain(): Promise<ControlItem[]> {
    this.#looksAgain = false;
    return this.#options.intake.takeAgain();
  }

  /** Does `judge` after what is under way, and has said in a later slot what it gives. */
  #judge(judge: () => Promise<ControlItem[]>): void {
    const { isDone, onProblem } = this.#options;
    this.#judging = this.#judging.then(async () => {
      try {
        const said = await judge();
        this.#pending.push(...said); // by then another list than before
      } catch (thrown) {
        this.failedSlots += 1;
        onProblem(asProblem(thrown));
        this.#getAgain();
      }
      if (isDone()) this.#done.abort();
    });
  }

  #getAgain(): void {
    this.#sessionId = this.#options.newSessionId();
  }

  #reportRefusals(items: readonly ControlItem[]): void {
    for (const item of items) {
      if (item.type === 'problem') {
        this.#options.onProblem(new Problem(item.code, 'the relay refused what was said of a block'));
      }
    }
  }
}
