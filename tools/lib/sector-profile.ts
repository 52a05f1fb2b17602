/** What of the sector profile a running client cannot change. */
import { Problem } from '../../protocol/problem.ts';
import type { Roster } from '../../protocol/roster.ts';

type Profile = Roster['profile'];

/** Refuses a profile with another block size or interval than the client runs with: `profile-mismatch`, in words. */
export function refuseOtherProfile(running: Profile, now: Profile): void {
  for (const [what, before, after] of [
    ['blocks of', `${running.blockSize} bytes`, `${now.blockSize} bytes`],
    ['an interval of', `${running.intervalMs / 1000} s`, `${now.intervalMs / 1000} s`],
  ] as const) {
    if (before === after) continue;
    throw new Problem('profile-mismatch', `the roster says ${what} ${after}, this client runs with ${before}`);
  }
}
