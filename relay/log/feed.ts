/**
 * The feed of tree heads: RSS 2.0, one item a head, newest first, each with the whole signed note.
 *
 * It holds the last heads, and for a week the last head of each hour, which the end of the hour leaves in its place: a
 * reader that comes once a week misses no hour.
 */
import { keptHeads } from './heads.ts';
import type { LogView, PublishedHead } from './log-view.ts';

export interface FeedHead extends PublishedHead {
  readonly origin: string;
}

/** The heads of the feed over all epochs, newest first: at most 188. */
export function feedHeads(log: LogView): FeedHead[] {
  return keptHeads(log.epochs.flatMap(({ origin, heads }) => heads.map((head) => ({ ...head, origin })))).reverse();
}

/** The feed as an XML document. */
export function feedXml(log: LogView): string {
  const relay = log.epochs.at(-1)?.origin.split('/')[0] ?? '';
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<rss version="2.0">',
    '<channel>',
    `<title>${escaped(`Signed tree heads of ${relay}`)}</title>`,
    `<link>urn:ghostpipe:audit:${escaped(encodeURIComponent(relay))}</link>`,
    `<description>Every tree head of the audit log, as it was signed. Audit mode: ${log.mode}.${escaped(alarmOf(log))}</description>`,
    ...feedHeads(log).map(item),
    '</channel>',
    '</rss>',
    '',
  ].join('\n');
}

function alarmOf({ alarm }: LogView): string {
  return alarm ? ` Alarm: ${alarm}.` : '';
}

function item({ origin, size, seconds, checkpoint }: FeedHead): string {
  const note = Buffer.from(checkpoint).toString('utf8');
  return [
    '<item>',
    `<title>${escaped(`${origin} at size ${size}`)}</title>`,
    `<guid isPermaLink="false">${escaped(`${origin}#${size}@${seconds}`)}</guid>`,
    `<pubDate>${new Date(seconds * 1000).toUTCString()}</pubDate>`,
    `<description>${escaped(note)}</description>`,
    '</item>',
  ].join('\n');
}

/** Text between tags: notes have no control characters, so this is all that XML asks for. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
