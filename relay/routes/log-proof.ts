/** Proofs of the audit log for anybody: C2SP's text, or JSON to who accepts it. */
import { formatAddCheckpoint } from '../../protocol/add-checkpoint.ts';
import { TRANSFER_ID_BYTES } from '../../protocol/control.ts';
import type { Hasher } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { formatTailProof } from '../../protocol/tail-proof.ts';
import { fromHex, toBase64 } from '../../protocol/text.ts';
import { formatTlogProof } from '../../protocol/tlog-proof.ts';
import type { EpochView, LogView } from '../log/log-view.ts';
import { leafOf, proofOfGrowth, proofOfLeaf, proofOfTail } from '../log/proofs.ts';
import { epochById, epochOf } from '../log/read.ts';
import { inVain, type LogQuery, queryOf, sendEither } from './log-query.ts';
import { EPOCH_URL } from './log-tiles.ts';
import { describe, json, type OpenExchange, type OpenRoute, parameter } from './route.ts';

const [STRING, INTEGER] = [{ type: 'string' }, { type: 'integer' }];
const TAIL = { origin: STRING, index: INTEGER, from: INTEGER, hashes: { type: 'array', items: STRING }, next: STRING };

export function logProofRoutes(hasher: Hasher, log: LogView): OpenRoute[] {
  const sendStatement = ({ request, reply }: OpenExchange, epoch: EpochView) => {
    const { origin, isOpen, verifierKeys } = epoch;
    const facts = { isOpen, mode: log.mode, verifierKeys, statement: textOf(epoch.statement) };
    const proof = proofOfLeaf(hasher, epoch, 0);
    return sendEither(
      request,
      reply,
      () => formatTlogProof(proof),
      () => ({ origin, ...facts, ...jsonOf(proof) }),
    );
  };
  return [
    {
      call: 'ct-epoch',
      method: 'GET',
      url: '/v2/ct/epoch',
      allowed: 'anyone',
      schema: described('The epoch statement with the proof that it is leaf 0, of the newest epoch or of ?origin=.'),
      handle: (exchange) => sendStatement(exchange, epochOf(log, queryOf(exchange.request, ['origin']).text('origin'))),
    },
    {
      call: 'ct-epoch',
      method: 'GET',
      url: `${EPOCH_URL}/epoch`,
      allowed: 'anyone',
      schema: described('The epoch statement with the proof that it is leaf 0, of any epoch that is kept.'),
      handle(exchange) {
        queryOf(exchange.request, []);
        return sendStatement(exchange, epochById(hasher, log, parameter(exchange.request, 'epoch')));
      },
    },
    {
      call: 'ct-proof',
      method: 'GET',
      url: `${EPOCH_URL}/tail`,
      allowed: 'anyone',
      schema: describe('The proof that leaf ?index= is in a closed epoch, or that all of it continues its last head.', {
        open: true,
        response: { 200: json('The proof; next is the statement of the epoch after it.', TAIL) },
      }),
      handle({ request, reply }) {
        const index = queryOf(request, ['index']).number('index');
        const epoch = epochById(hasher, log, parameter(request, 'epoch'));
        reply.header('cache-control', 'no-store').header('content-type', 'application/json; charset=utf-8');
        return reply.send(Buffer.from(formatTailProof(proofOfTail(hasher, log, epoch, index))));
      },
    },
    {
      call: 'ct-proof',
      method: 'GET',
      url: '/v2/ct/proof',
      allowed: 'anyone',
      schema: described('The proof that the leaf of ?index=, or the newest one about the transfer ?xfer=, is in.'),
      handle({ request, reply }) {
        const { epoch, index } = leafAsked(log, queryOf(request, ['origin', 'index', 'xfer']));
        const proof = proofOfLeaf(hasher, epoch, index);
        const leaf = () => toBase64(leafOf(hasher, epoch, index));
        const value = () => ({ origin: epoch.origin, leaf: leaf(), ...jsonOf(proof) });
        return sendEither(request, reply, () => formatTlogProof(proof), value);
      },
    },
    {
      call: 'ct-consistency',
      method: 'GET',
      url: '/v2/ct/consistency',
      allowed: 'anyone',
      schema: described('The proof that the head of size ?to=, or the newest, continues the tree of ?from= leaves.'),
      handle({ request, reply }) {
        const query = queryOf(request, ['origin', 'from', 'to']);
        const from = query.number('from');
        if (from === undefined) throw new Problem('not-available', 'the query has no from');
        const epoch = epochOf(log, query.text('origin'));
        const proof = proofOfGrowth(hasher, epoch, from, query.number('to'));
        const value = () => ({ origin: epoch.origin, from, ...jsonOf(proof) });
        return sendEither(request, reply, () => formatAddCheckpoint(proof), value);
      },
    },
  ];
}

/** The leaf that a query names by index or by transfer; a transfer is looked for in all epochs, the newest first. */
function leafAsked(log: LogView, query: LogQuery): { readonly epoch: EpochView; readonly index: number } {
  const [origin, index, transfer] = [query.text('origin'), query.number('index'), query.text('xfer')];
  if ((index === undefined) === (transfer === undefined)) {
    throw new Problem('not-available', 'the query has not exactly one of index and xfer');
  }
  if (index !== undefined) return { epoch: epochOf(log, origin), index };
  inVain(() => fromHex(transfer!, TRANSFER_ID_BYTES));
  for (const epoch of log.epochs.toReversed()) {
    const found = origin === undefined || origin === epoch.origin ? epoch.indexOf(transfer!) : undefined;
    if (found !== undefined) return { epoch, index: found };
  }
  throw new Problem('not-available', 'no leaf is about that transfer');
}

interface Proof {
  readonly index?: number;
  readonly hashes: readonly Uint8Array[];
  readonly checkpoint: Uint8Array;
}

function jsonOf({ index, hashes, checkpoint }: Proof): object {
  return { ...(index !== undefined && { index }), hashes: hashes.map(toBase64), checkpoint: textOf(checkpoint) };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

function described(summary: string) {
  const content = { 'text/plain': { schema: { type: 'string' } }, 'application/json': { schema: { type: 'object' } } };
  return describe(summary, { open: true, response: { 200: { description: 'The proof.', content } } });
}
