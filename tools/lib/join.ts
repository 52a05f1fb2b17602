/** The first contact of a client with its relay: register, fetch the roster, learn the keys of its peers. */
import { asProblem, type ProblemCode } from '../../protocol/problem.ts';
import type { Client } from './client.ts';
import type { Notices } from './notices.ts';
import { monotonicClock } from './slot-clock.ts';

const RETRY_MS = 1_000;
/** What time may mend: the relay is not up yet, or has not got the roster that lists this device. */
const PASSING: readonly ProblemCode[] = ['relay-unreachable', 'not-in-roster', 'not-ready'];

/**
 * Joins the site. Waits up to `patienceMs` for a relay that is away; everything else is thrown at once. `peers` names
 * the members whose keys the client will need, by the roster of that moment.
 */
export async function joinSite(
  client: Client,
  notices: Notices,
  options: { patienceMs: number; signal: AbortSignal; peers: () => Iterable<string> },
): Promise<void> {
  const giveUpMs = monotonicClock.now() + options.patienceMs;
  for (let joined = false; !joined; ) {
    try {
      await client.membership.renew();
      joined = true;
    } catch (thrown) {
      const problem = asProblem(thrown);
      const late = options.signal.aborted || monotonicClock.now() > giveUpMs;
      if (late || !PASSING.includes(problem.code)) throw problem;
      notices.problem(problem);
      await monotonicClock.sleep(RETRY_MS, options.signal);
    }
  }
  for (const problem of await client.membership.refreshPeers(options.peers())) notices.problem(problem);
}
