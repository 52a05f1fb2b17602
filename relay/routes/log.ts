/**
 * The audit log as anybody may read it: the newest checkpoint and hash tiles (C2SP tlog-tiles), heads, and the feed.
 * Its records are for auditors.
 */
import { Problem } from '../../protocol/problem.ts';
import { toBase64 } from '../../protocol/text.ts';
import { parseTilePath, TILE_WIDTH, type Tile } from '../../protocol/tile.ts';
import { OCTETS } from '../http/octet-reply.ts';
import { feedHeads, feedXml } from '../log/feed.ts';
import type { LogView, PublishedHead } from '../log/log-view.ts';
import { epochOf, headOfSize, newestHead, readBundle, readRecords, readTile } from '../log/read.ts';
import { inVain, queryOf, sendText } from './log-query.ts';
import { describe, type Exchange, json, parameter, type Route } from './route.ts';

export function logRoutes(log: LogView): Route[] {
  const feed = newestFeed(log);
  return [
    {
      call: 'checkpoint',
      method: 'GET',
      url: '/checkpoint',
      allowed: 'anyone',
      schema: describe('The newest signed tree head (C2SP tlog-checkpoint).', {
        open: true,
        response: { 200: { description: 'A signed note.', content: TEXT } },
      }),
      handle({ request, reply }) {
        queryOf(request, []);
        return sendText(reply.header('cache-control', 'no-store'), newestHead(epochOf(log, undefined)).checkpoint);
      },
    },
    {
      call: 'tile',
      method: 'GET',
      url: '/tile/*',
      allowed: 'anyone',
      schema: describe('A tile of hashes of the newest epoch (C2SP tlog-tiles).', { open: true, ...TILE }),
      handle: (exchange) =>
        sendTile(exchange, 'tile/', (tile) => {
          if (tile.level === 'entries') throw new Problem('not-available', 'this listener serves no entries');
          return readTile(epochOf(log, undefined), tile);
        }),
    },
    {
      call: 'entries',
      method: 'GET',
      url: '/tile/entries/*',
      allowed: 'audit',
      schema: describe('A bundle of records of the newest epoch (C2SP tlog-tiles).', TILE),
      handle: (exchange) => sendTile(exchange, 'tile/entries/', (tile) => readBundle(epochOf(log, undefined), tile)),
    },
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
        return reply.header('cache-control', 'no-store').send({ origin, size: newestHead(epoch).size, from, records });
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

/** A tile may not be kept by caches: the next epoch is another tree under the same paths. */
function sendTile({ request, reply }: Exchange, prefix: string, read: (tile: Tile) => Uint8Array): unknown {
  queryOf(request, []);
  const tile = inVain(() => parseTilePath(prefix + parameter(request, '*')));
  return reply
    .header('cache-control', 'no-store')
    .header('content-type', OCTETS)
    .send(Buffer.from(read(tile)));
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
const TEXT = { 'text/plain': { schema: STRING } };
const TILE = { response: { 200: { description: 'The tile.', content: { [OCTETS]: { schema: STRING } } } } };
const HEAD = { origin: STRING, size: INTEGER, root: STRING, seconds: INTEGER };
const HEADS = { type: 'object', properties: HEAD };
const RECORDS = { origin: STRING, size: INTEGER, from: INTEGER, records: { type: 'array', items: STRING } };
