/**
 * The downlink: claims a block an interval and says in the same exchange what became of the last ones. While the
 * relay has blocks waiting, the next claim follows at once.
 */
import { type ControlItem, fillControl, itemOf } from '../../protocol/control.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import type { LogReceipts } from '../lib/log-receipts.ts';
import type { Membership } from '../lib/membership.ts';
import type { RelayClient } from '../lib/relay-client.ts';
import { Renewal } from '../lib/renewal.ts';
import { type Clock, slots } from '../lib/slot-clock.ts';
import type { Intake } from './intake.ts';

export interface DownlinkOptions {
  readonly relay: RelayClient;
  readonly membership: Membership;
  readonly intake: Intake;
  /** Null when none are kept. */
  readonly logReceipts: LogReceipts | null;
  /** DIDs of the senders whose routes lead here, by the roster of the moment. */
  readonly senders: () => Iterable<string>;
  /** A random session id. */
  readonly newSessionId: () => Uint8Array;
  readonly blockBytes: number;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly onProblem: (problem: Problem) => void;
  /** Called when nothing is under way: after each slot, with what went wrong in it, and after each block. */
  readonly onPause: (problem: Problem | null) => void;
  /** Asked after each block: true to end. */
  readonly isDone: () => boolean;
}

export class Downlink {
  covers = 0;
  failedSlots = 0;
  /** When the relay answered last, by the clock; undefined until it did. */
  answeredMs: number | undefined;
  readonly #options: DownlinkOptions;
  /** Acks, rejects and receipts that the relay has not answered yet. */
  #pending: ControlItem[] = [];
  readonly #renewal: Renewal;
  /** Of this start, or since a claim or its block failed: the relay then gives again at once what it had leased. */
  #sessionId: Uint8Array;

  constructor(options: DownlinkOptions) {
    this.#options = options;
    this.#sessionId = options.newSessionId();
    this.#renewal = new Renewal(options.membership, options.senders, options.onProblem);
  }

  /** The next slot registers again: the credentials changed. */
  renewSoon(): void {
    this.#renewal.soon();
  }

  /** Runs until `signal` aborts or `isDone`; then says what is still to be said. */
  async run(signal: AbortSignal): Promise<void> {
    const { intervalMs, clock, isDone } = this.#options;
    for await (const _slot of slots(intervalMs, clock, signal)) {
      this.#options.onPause(await this.#slot(signal));
      if (isDone()) break;
    }
    await this.#guarded(() => this.#sayTheRest());
  }

  async #slot(signal: AbortSignal): Promise<Problem | null> {
    return this.#guarded(async () => {
      await this.#renewal.slot();
      while (!signal.aborted && !this.#options.isDone() && (await this.#claim())) this.#options.onPause(null);
      await this.#options.logReceipts?.look();
    });
  }

  /** One exchange; true when it brought a real block. */
  async #claim(): Promise<boolean> {
    const { relay, intake, newSessionId, blockBytes, clock } = this.#options;
    const session = { type: 'session', sessionId: this.#sessionId, maxLeases: 1 } as const;
    const { fits, left } = fillControl([session, ...this.#pending]);
    const getAgain = (thrown: unknown): never => {
      this.#sessionId = newSessionId();
      throw thrown;
    };
    const { block, items } = await relay.claim(fits, blockBytes).catch(getAgain);
    this.#pending = left;
    this.answeredMs = clock.now();
    this.#reportRefusals(items);
    if (itemOf(items, 'cover')) {
      this.covers += 1;
      return false;
    }
    const lease = itemOf(items, 'lease');
    if (!lease) throw new Problem('relay-answer-invalid', 'a claim was answered by neither a lease nor a cover');
    this.#options.logReceipts?.take(items, () => lease.blockSha256);
    this.#pending.push(...(await intake.take(block, lease).catch(getAgain)));
    return true;
  }

  async #sayTheRest(): Promise<void> {
    while (this.#pending.length > 0) {
      const { fits, left } = fillControl(this.#pending);
      this.#reportRefusals(await this.#options.relay.ack(fits));
      this.#pending = left;
    }
  }

  #reportRefusals(items: readonly ControlItem[]): void {
    for (const item of items) {
      if (item.type === 'problem') {
        this.#options.onProblem(new Problem(item.code, 'the relay refused what was said of a block'));
      }
    }
  }

  async #guarded(action: () => Promise<void>): Promise<Problem | null> {
    try {
      await action();
      return null;
    } catch (thrown) {
      const problem = asProblem(thrown);
      this.#renewal.noteRefusal(problem);
      this.failedSlots += 1;
      this.#options.onProblem(problem);
      return problem;
    }
  }
}
