/**
 * The audit log in C2SP's layout (tlog-tiles), the records for auditors only: the newest epoch at the root, and each
 * epoch that is kept below a path of its own, where what is once read may be kept for ever.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Hasher } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { parseTilePath, type Tile } from '../../protocol/tile.ts';
import { OCTETS } from '../http/octet-reply.ts';
import type { EpochView, LogView } from '../log/log-view.ts';
import { epochById, epochOf, newestHead, readBundle, readTile } from '../log/read.ts';
import { inVain, queryOf, sendText } from './log-query.ts';
import { describe, type Exchange, parameter, type Route } from './route.ts';

/** Below it stands an epoch by the SHA-256 of its origin in hex. */
export const EPOCH_URL = '/v2/ct/epochs/:epoch';

const compressed = promisify(gzip);

/** Where an epoch stands, and what caches may keep of it. */
interface Place {
  readonly url: '' | typeof EPOCH_URL;
  readonly what: string;
  readonly tileCache: string;
  readonly bundleCache: string;
  readonly epoch: (exchange: Exchange) => EpochView;
}

export function logTileRoutes(hasher: Hasher, log: LogView): Route[] {
  const forEver = 'max-age=31536000, immutable';
  return [
    ...routesAt({
      url: '',
      what: 'the newest epoch',
      // The next epoch is another tree under the same paths.
      tileCache: 'no-store',
      bundleCache: 'no-store',
      epoch: () => epochOf(log, undefined),
    }),
    ...routesAt({
      url: EPOCH_URL,
      what: 'the epoch with this SHA-256 of its origin',
      tileCache: `public, ${forEver}`,
      bundleCache: `private, ${forEver}`,
      epoch: ({ request }) => epochById(hasher, log, parameter(request, 'epoch')),
    }),
  ];
}

function routesAt({ url, what, tileCache, bundleCache, epoch }: Place): Route[] {
  return [
    {
      call: 'checkpoint',
      method: 'GET',
      url: `${url}/checkpoint`,
      allowed: 'anyone',
      schema: describe(`The newest signed tree head of ${what} (C2SP tlog-checkpoint).`, {
        open: true,
        response: { 200: { description: 'A signed note.', content: TEXT } },
      }),
      handle(exchange) {
        queryOf(exchange.request, []);
        return sendText(exchange.reply.header('cache-control', 'no-store'), newestHead(epoch(exchange)).checkpoint);
      },
    },
    {
      call: 'tile',
      method: 'GET',
      url: `${url}/tile/*`,
      allowed: 'anyone',
      schema: describe(`A tile of hashes of ${what} (C2SP tlog-tiles).`, { open: true, ...TILE }),
      handle(exchange) {
        const tile = tileAsked(exchange, 'tile/');
        if (tile.level === 'entries') throw new Problem('not-available', 'this listener serves no entries');
        const bytes = readTile(epoch(exchange), tile);
        return exchange.reply
          .header('cache-control', tileCache)
          .header('content-type', OCTETS)
          .send(Buffer.from(bytes));
      },
    },
    {
      call: 'entries',
      method: 'GET',
      url: `${url}/tile/entries/*`,
      allowed: 'audit',
      schema: describe(`A bundle of records of ${what} (C2SP tlog-tiles), with gzip for who accepts it.`, TILE),
      async handle(exchange) {
        const tile = tileAsked(exchange, 'tile/entries/');
        const bytes = readBundle(epoch(exchange), tile);
        const { request, reply } = exchange;
        reply.header('cache-control', bundleCache).header('content-type', OCTETS).header('vary', 'accept-encoding');
        if (!acceptsGzip(request.headers['accept-encoding'])) return reply.send(Buffer.from(bytes));
        const packed = await compressed(bytes);
        return reply.header('content-encoding', 'gzip').send(packed);
      },
    },
  ];
}

function tileAsked({ request }: Exchange, prefix: string): Tile {
  queryOf(request, []);
  return inVain(() => parseTilePath(prefix + parameter(request, '*')));
}

/** Whether `accept-encoding` lists gzip, but not with the quality 0. */
function acceptsGzip(header: string | string[] = ''): boolean {
  const codings = String(header)
    .toLowerCase()
    .split(',')
    .map((coding) => coding.replaceAll(/\s/g, ''));
  return codings.some((coding) => coding === 'gzip' || /^gzip;q=(1|0\.\d*[1-9])/.test(coding));
}

const STRING = { type: 'string' };
const TEXT = { 'text/plain': { schema: STRING } };
const TILE = { response: { 200: { description: 'The tile.', content: { [OCTETS]: { schema: STRING } } } } };
