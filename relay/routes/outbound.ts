/** A block by its hash. The hash finds, it never authorises; reading under a lease may be taken up again by Range. */
import { Problem } from '../../protocol/problem.ts';
import { fromHex } from '../../protocol/text.ts';
import { bodyMs, type Conduit } from '../conduit.ts';
import { OCTETS, rangeOf, streamParts } from '../http/octet-reply.ts';
import { describe, type MemberExchange, type MemberRoute, octets, parameter, strings } from './route.ts';

export function outboundRoutes(conduit: Conduit): MemberRoute[] {
  const { blockBytes } = conduit.store;
  const response = {
    200: octets('The block; ghostpipe-transfer, ghostpipe-attempt and ghostpipe-lease-ms name the lease.', blockBytes),
    206: {
      description: 'The asked-for range of the block.',
      content: { [OCTETS]: { schema: { type: 'string', format: 'binary' } } },
    },
  };
  return [
    {
      call: 'outbound',
      method: 'GET',
      url: '/v2/outbound/:hash',
      allowed: 'receive',
      schema: describe('Lease the block with this SHA-256, or go on reading it.', {
        params: strings({ hash: '^[0-9a-f]{64}$' }),
        headers: strings({ 'ghostpipe-session': '^[0-9a-f]{32}$', range: '^bytes=\\d+-\\d*$' }),
        response,
      }),
      handle: (exchange) => outbound(conduit, exchange),
    },
  ];
}

function outbound(conduit: Conduit, { request, reply, member }: MemberExchange): unknown {
  const { blockBytes } = conduit.store;
  const range = parseRange(request.headers.range, blockBytes);
  const session = sessionOf(request.headers['ghostpipe-session']);
  const { did } = member().device;
  const lease = conduit.deliveries.claimByHash(conduit.now(), did, session, parameter(request, 'hash'));
  if (!lease) throw new Problem('not-available', 'no block with this hash waits for this reader');
  reply.headers({
    'accept-ranges': 'bytes',
    'ghostpipe-transfer': lease.transferId,
    'ghostpipe-attempt': lease.attempt,
    'ghostpipe-lease-ms': lease.leaseMs,
  });
  if (range) reply.code(206).header('content-range', `bytes ${range.first}-${range.last}/${blockBytes}`);
  const bytes = range ? rangeOf(lease.bytes, range.first, range.last) : lease.bytes;
  return streamParts(reply, [bytes], { timeLimitMs: bodyMs(conduit), release: lease.release });
}

/** One `bytes=first-` or `bytes=first-last` inside the block (RFC 9110 section 14.1.2); refuses `range-invalid`. */
function parseRange(header: string | undefined, blockBytes: number): { first: number; last: number } | null {
  if (header === undefined) return null;
  const match = /^bytes=(\d{1,9})-(\d{0,9})$/.exec(header);
  const first = Number(match?.[1]);
  const last = match?.[2] ? Number(match[2]) : blockBytes - 1;
  if (!match || first > last || last >= blockBytes) {
    throw new Problem('range-invalid', `the range is not one part of the ${blockBytes} bytes of a block`);
  }
  return { first, last };
}

function sessionOf(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  fromHex(String(header), 16);
  return String(header);
}
