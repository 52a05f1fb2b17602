/** Which heads are kept: the newest ones, and one an hour for as long as a slow reader may take. */
import type { PublishedHead } from './log-view.ts';

/** Newest heads, each of which is kept. */
const NEWEST_HEADS = 20;
const HOUR_SECONDS = 3600;
/** Hours of which the last head is kept. */
const HOURLY_HEADS = 7 * 24;

/** `heads` of an epoch and the one `added`, oldest first, without those that need not be kept any more. */
export function withHead(heads: readonly PublishedHead[], added: PublishedHead): PublishedHead[] {
  return keptHeads([...heads, added]);
}

/**
 * Of `heads`, oldest first, those that are kept: a head that the next one followed in the same hour goes once it is not
 * among the newest. An hour is of the heads' own time; when that goes back, the hours before stay hours of their own.
 */
export function keptHeads<H extends PublishedHead>(heads: readonly H[]): H[] {
  const newest = heads.slice(-NEWEST_HEADS);
  const older = heads.slice(0, -NEWEST_HEADS);
  const hourOf = ({ seconds }: PublishedHead) => Math.floor(seconds / HOUR_SECONDS);
  const lastOfHour = older.filter((head, i) => hourOf(head) !== hourOf(heads[i + 1]!));
  return [...lastOfHour.slice(-HOURLY_HEADS), ...newest];
}
