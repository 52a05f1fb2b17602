/** The sender's calls: hand in a block, ask what became of it, take it back. */
import { headerBytes, MAX_STANZAS, parseHeader } from '../../protocol/block.ts';
import { CONTROL_BYTES, type ControlItem, itemBytes } from '../../protocol/control.ts';
import { roomBeside } from '../../protocol/control-room.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { RECEIPT_BYTES } from '../../protocol/receipt.ts';
import { fromHex } from '../../protocol/text.ts';
import { bodyMs, type Conduit } from '../conduit.ts';
import { receiveBlock } from '../http/body.ts';
import { OCTETS, sendControl } from '../http/octet-reply.ts';
import { recipientsOf } from '../members/recipients.ts';
import type { Member } from '../members/registry.ts';
import type { Slot } from '../store/block-store.ts';
import type { Accepted } from '../store/handover.ts';
import {
  describe,
  json,
  type MemberExchange,
  type MemberRoute,
  octets,
  parameter,
  requireType,
  strings,
} from './route.ts';
import { atFixedTime, isUniform } from './uniform.ts';

const TRANSFER = strings({ id: '^[0-9a-f]{32}$' });

/** What a delivery receipt takes in a frame. */
const RECEIPT_ROOM = itemBytes({ type: 'receipt', bytes: new Uint8Array(RECEIPT_BYTES) });

export function submitRoutes(conduit: Conduit): MemberRoute[] {
  const { blockBytes } = conduit.store;
  return [
    {
      call: 'inbound',
      method: 'POST',
      url: '/v2/inbound',
      allowed: 'send',
      schema: describe('Submit one block; the answer carries waiting delivery receipts.', {
        body: octets('The block.', blockBytes),
        response: {
          201: octets('A control frame: epoch, accepted, proofs of the audit log, receipts.', CONTROL_BYTES),
        },
      }),
      handle: (exchange) => submit(conduit, exchange),
    },
    {
      call: 'status',
      method: 'GET',
      url: '/v2/status/:id',
      allowed: 'send',
      schema: describe('What became of a transfer of this sender.', {
        params: TRANSFER,
        response: { 200: json('State of the transfer and of each view.', REPORT) },
      }),
      handle({ request, member }) {
        const report = conduit.deliveries.status(conduit.now(), member().device.did, parameter(request, 'id'));
        if (!report) throw new Problem('not-available', 'no such transfer of this sender');
        return report;
      },
    },
    {
      call: 'delete',
      method: 'DELETE',
      url: '/v2/inbound/:id',
      allowed: 'send',
      schema: describe('Burn a transfer of this sender, unless it already ended.', {
        params: TRANSFER,
        response: { 200: json('How the transfer ended.', { id: { type: 'string' }, state: { type: 'string' } }) },
      }),
      handle({ request, member }) {
        const id = parameter(request, 'id');
        const state = conduit.deliveries.remove(conduit.now(), member().device.did, id);
        if (!state) throw new Problem('not-available', 'no such transfer of this sender');
        return { id, state };
      },
    },
  ];
}

type From = Pick<Member['device'], 'did' | 'zone'>;

async function submit(conduit: Conduit, exchange: MemberExchange): Promise<unknown> {
  const { did, zone } = exchange.member().device;
  const act = () => take(conduit, exchange, { did, zone });
  const uniform = isUniform(exchange);
  if (uniform) conduit.attendance.heard(did);
  const taken = await (uniform ? atFixedTime(conduit, exchange, act) : act());
  const said = [epoch(conduit), ...taken];
  const count = Math.floor(roomBeside(said) / RECEIPT_ROOM);
  const receipts = conduit.receipts.next(did, count).map((bytes) => ({ type: 'receipt' as const, bytes }));
  const told = [...said, ...receipts];
  const piece = uniform ? conduit.rosterPieces.beside(did, roomBeside(told)) : [];
  return sendControl(exchange.reply, uniform ? 200 : 201, [...told, ...piece]);
}

async function take(conduit: Conduit, exchange: MemberExchange, from: From): Promise<ControlItem[]> {
  requireType(exchange.request, OCTETS);
  const { transferId, repeated } = await receive(conduit, exchange, from);
  const { receipts } = conduit.audit;
  const loggedOf = receipts.forSender(transferId);
  await conduit.audit.requireKept();
  if (repeated) receipts.proofs.sender.again(from.did);
  const logged = await loggedOf();
  const said: ControlItem[] = [{ type: 'accepted', transferId: fromHex(transferId, 16), repeated }, ...logged];
  // Proofs leave room for one delivery receipt at least; these are cumulative and come in turns.
  const room = roomBeside([epoch(conduit), ...said]) - RECEIPT_ROOM;
  return [...said, ...receipts.proofs.sender.next(from.did, room)];
}

function epoch(conduit: Conduit): ControlItem {
  return { type: 'epoch', epochId: conduit.epoch };
}

/**
 * Receives a block and takes it into the store. A block is hashed even when there is no room for it, since one that
 * is held already needs none. Whatever goes wrong, the slot is given back.
 */
async function receive(conduit: Conduit, { request, member }: MemberExchange, from: From): Promise<Accepted> {
  const { deliveries, store, metrics } = conduit;
  const room = admit(conduit, from);
  const slot = room instanceof Problem ? null : room;
  try {
    const hash = await receiveBlock(request.raw, slot?.bytes ?? null, store.blockBytes, bodyMs(conduit));
    // From here to the end nothing waits: what is looked up cannot change before it is used.
    const sender = member();
    const repeated = deliveries.repeated(conduit.now(), from.did, hash);
    if (repeated) {
      if (slot) deliveries.abandon(slot);
      metrics.repeated();
      return repeated;
    }
    if (room instanceof Problem) throw room;
    return accept(conduit, sender, room, hash);
  } catch (thrown) {
    if (slot) deliveries.abandon(slot);
    throw thrown;
  }
}

function accept(conduit: Conduit, sender: Member, slot: Slot, hash: string): Accepted {
  const header = parseHeader(slot.bytes.subarray(0, headerBytes(MAX_STANZAS)));
  const { maxTtlSeconds } = conduit.config.limits;
  const recipients = recipientsOf(header, sender, { ...conduit, maxTtlSeconds });
  return conduit.deliveries.submit(conduit.now(), {
    sender: sender.device.did,
    slot,
    hash,
    views: header.views,
    burnAtClaim: header.burnAtClaim,
    ttlMs: header.ttlSeconds * 1000,
    recipients,
  });
}

function admit({ deliveries, audit, now }: Conduit, { did, zone }: From): Slot | Problem {
  try {
    audit.requireRoom();
    return deliveries.admit(now(), did, zone);
  } catch (thrown) {
    return asProblem(thrown);
  }
}

const REPORT = {
  id: { type: 'string' },
  state: { type: 'string' },
  attempts: { type: 'integer' },
  views: {
    type: 'array',
    items: {
      type: 'object',
      properties: { recipient: { type: 'string' }, state: { type: 'string' }, code: { type: 'string' } },
    },
  },
};
