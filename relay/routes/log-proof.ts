/** Proofs of the audit log for anybody: C2SP's text, or JSON to who accepts it. */
import { formatAddCheckpoint } from '../../protocol/add-checkpoint.ts';
import type { Hasher } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { fromHex, toBase64 } from '../../protocol/text.ts';
import { formatTlogProof } from '../../protocol/tlog-proof.ts';
import type { EpochView, LogView } from '../log/log-view.ts';
import { leafOf, proofOfGrowth, proofOfLeaf } from '../log/proofs.ts';
import { epochOf } from '../log/read.ts';
import { inVain, type LogQuery, queryOf, sendEither } from './log-query.ts';
import { describe, type OpenRoute } from './route.ts';

const TRANSFER_ID_BYTES = 16;

export function logProofRoutes(hasher: Hasher, log: LogView): OpenRoute[] {
  return [
    {
      call: 'ct-epoch',
      method: 'GET',
      url: '/v2/ct/epoch',
      allowed: 'anyone',
      schema: described('The epoch statement with the proof that it is leaf 0, of the newest epoch or of ?origin=.'),
      handle({ request, reply }) {
        const epoch = epochOf(log, queryOf(request, ['origin']).text('origin'));
        const { origin, isOpen, verifierKeys } = epoch;
        const facts = { isOpen, mode: log.mode, verifierKeys, statement: textOf(epoch.statement) };
        const proof = proofOfLeaf(hasher, epoch, 0);
        return sendEither(
          request,
          reply,
          () => formatTlogProof(proof),
          () => ({ origin, ...facts, ...jsonOf(proof) }),
        );
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
