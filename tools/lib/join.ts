/** The first contact of a client with its relay: register, fetch the roster, learn the keys of its peers. */
import { asProblem, type Problem, type ProblemCode } from '../../protocol/problem.ts';
import type { Client } from './client.ts';
import type { Notices } from './notices.ts';
import { monotonicClock } from './slot-clock.ts';

const RETRY_MS = 1_000;
/** What time may mend: the relay is not up yet, or has not got the roster that lists this device. */
const PASSING: readonly ProblemCode[] = ['relay-unreachable', 'not-in-roster', 'not-ready'];

export interface JoinOptions {
  /** How long to wait for a relay that is away; everything else is thrown at once. */
  readonly patienceMs: number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Called before each try but the first, with what went wrong. */
  readonly onWait?: (problem: Problem) => void;
}

/** Joins the site: registers, fetches the roster, learns the keys of the peers. */
export async function joinSite(client: Client, notices: Notices, options: JoinOptions): Promise<void> {
  const giveUpMs = monotonicClock.now() + options.patienceMs;
  for (let joined = false; !joined; ) {
    try {
      for (const problem of await client.membership.join()) notices.problem(problem);
      joined = true;
    } catch (thrown) {
      const problem = asProblem(thrown);
      const late = options.signal.aborted || monotonicClock.now() > giveUpMs;
      if (late || !PASSING.includes(problem.code)) throw problem;
      notices.problem(problem);
      await monotonicClock.sleep(RETRY_MS, options.signal);
      options.onWait?.(problem);
    }
  }
}
