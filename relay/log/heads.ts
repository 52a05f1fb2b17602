/** Which heads of an epoch are kept: the newest ones, and one an hour for as long as a slow reader may take. */
import type { PublishedHead } from './log-view.ts';

/** Newest heads, each of which is kept. */
export const NEWEST_HEADS = 20;
const HOUR_SECONDS = 3600;
/** Hours of which the last head is kept. */
export const HOURLY_HEADS: number = 7 * 24;

/** `heads` and `added`, oldest first, without those that need not be kept any more. */
export function withHead(heads: readonly PublishedHead[], added: PublishedHead): PublishedHead[] {
  const all = [...heads, added];
  const newest = all.slice(-NEWEST_HEADS);
  const older = all.slice(0, -NEWEST_HEADS);
  const hourOf = ({ seconds }: PublishedHead) => Math.floor(seconds / HOUR_SECONDS);
  const lastOfHour = older.filter((head, i) => hourOf(head) !== hourOf(all[i + 1]!));
  return [...lastOfHour.slice(-HOURLY_HEADS), ...newest];
}
