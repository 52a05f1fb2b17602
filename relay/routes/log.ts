/** Every call of the audit log. Here: its heads as JSON and as a feed, for anybody; its records, for auditors. */
import type { Hasher } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { toBase64 } from '../../protocol/text.ts';
import { TILE_WIDTH } from '../../protocol/tile.ts';
import { feedHeads, feedXml } from '../log/feed.ts';
import type { LogView, PublishedHead } from '../log/log-view.ts';
import { epochOf, headOfSize, newestHead, readRecords, shownSize } from '../log/read.ts';
import { logProofRoutes } from './log-proof.ts';
import { queryOf } from './log-query.ts';
import { logTileRoutes } from './log-tiles.ts';
import { describe, json, type Route } from './route.ts';

export function logRoutes(hasher: Hasher, log: LogView): Route[] {
  const feed = newestFeed(log);
  return [
    ...logTileRoutes(hasher, log),
    ...logProofRoutes(hasher, log),
    {
      call: 'ct-sth',
      method: 'GET',
      url: '/v2/ct/sth',
      allowed: 'anyone',
      schema: describe('A signed tree head: the newest, or the one of ?size=, of the newest epoch or of ?origin=.', {
        open: true,
        response: { 200: json('The head, and its whole note.', { ...HEAD, checkpoint: STRING }) },
      }),
      handle({ request, reply }) {
        const query = queryOf(request, ['origin', 'size']);
        const { origin, heads } = epochOf(log, query.text('origin'));
        const head = headOfSize({ heads }, query.number('size'));
        const checkpoint = Buffer.from(head.checkpoint).toString('utf8');
        return reply.header('cache-control', 'no-store').send({ ...headJson(origin, head), checkpoint });
      },
    },
    {
      call: 'ct-sth-history',
      method: 'GET',
      url: '/v2/ct/sth/history',
      allowed: 'anyone',
      schema: describe('The heads of the feed without their notes, newest first.', {
        open: true,
        response: { 200: json('Heads.', { mode: STRING, heads: { type: 'array', items: HEADS } }) },
      }),
      handle({ request, reply }) {
        queryOf(request, []);
        const heads = feedHeads(log).map((head) => headJson(head.origin, head));
        return reply.header('cache-control', 'no-store').send({ mode: log.mode, heads });
      },
    },
    {
      call: 'ct-log',
      method: 'GET',
      url: '/v2/ct/log',
      allowed: 'audit',
      schema: describe(`Records from ?from= on, at most ?limit= (1 to ${TILE_WIDTH}), of an epoch.`, {
        response: { 200: json('Records, each the exact text of its leaf.', RECORDS) },
      }),
      handle({ request, reply }) {
        const query = queryOf(request, ['origin', 'from', 'limit']);
        const [from = 0, limit = TILE_WIDTH] = [query.number('from'), query.number('limit')];
        if (limit < 1 || limit > TILE_WIDTH) throw new Problem('not-available', `limit ${limit} is not 1 to 256`);
        const epoch = epochOf(log, query.text('origin'));
        const records = readRecords(epoch, from, limit).map((record) => Buffer.from(record).toString('utf8'));
        const { origin } = epoch;
        return reply.header('cache-control', 'no-store').send({ origin, size: shownSize(epoch), from, records });
      },
    },
    {
      call: 'ct-feed',
      method: 'GET',
      url: '/v2/ct/feed.xml',
      allowed: 'anyone',
      schema: describe('The signed tree heads as RSS 2.0.', {
        open: true,
        response: { 200: { description: 'The feed.', content: { 'application/rss+xml': { schema: STRING } } } },
      }),
      handle({ request, reply }) {
        queryOf(request, []);
        reply.header('cache-control', 'no-cache').header('content-type', 'application/rss+xml; charset=utf-8');
        return reply.send(feed());
      },
    },
  ];
}

/** The feed, written once for each head: it has more than a megabyte after a week, and anybody may ask. */
function newestFeed(log: LogView): () => Buffer {
  let of: PublishedHead | undefined;
  let written = Buffer.alloc(0);
  return () => {
    const head = newestHead(epochOf(log, undefined));
    if (head !== of) written = Buffer.from(feedXml(log));
    of = head;
    return written;
  };
}

function headJson(origin: string, { size, root, seconds }: PublishedHead): object {
  return { origin, size, root: toBase64(root), seconds };
}

const STRING = { type: 'string' };
const INTEGER = { type: 'integer' };
const HEAD = { origin: STRING, size: INTEGER, root: STRING, seconds: INTEGER };
const HEADS = { type: 'object', properties: HEAD };
const RECORDS = { origin: STRING, size: INTEGER, from: INTEGER, records: { type: 'array', items: STRING } };
