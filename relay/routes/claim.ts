/** The receiver's uniform exchange: it says what became of blocks, and gets the next one or a cover. */
import { CONTROL_BYTES, type ControlItem, encodeControl, itemOf, parseControl } from '../../protocol/control.ts';
import { fillControl, roomBeside } from '../../protocol/control-room.ts';
import { ackCommit } from '../../protocol/envelope.ts';
import { LOG_RECEIPT_BYTES } from '../../protocol/log-receipt.ts';
import { MAX_LOG_RECORD_BYTES } from '../../protocol/log-record.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { windowMs } from '../../protocol/slot-plan.ts';
import { fromHex, toHex } from '../../protocol/text.ts';
import { bodyMs, type Conduit } from '../conduit.ts';
import { readBody } from '../http/body.ts';
import { OCTETS, sendControl, streamParts } from '../http/octet-reply.ts';
import type { Member } from '../members/registry.ts';
import type { Lease } from '../store/handover.ts';
import { describe, type MemberExchange, type MemberRoute, octets, requireType } from './route.ts';
import { atFixedTime, isUniform, NO_TRANSFER } from './uniform.ts';

/** What epoch and lease take in a frame, with the evidence of the log that goes with a block. */
const LEASE_ROOM = 19 + 59 + (3 + LOG_RECEIPT_BYTES) + 51 + (3 + MAX_LOG_RECORD_BYTES);

type Session = Extract<ControlItem, { type: 'session' }>;

export function claimRoutes(conduit: Conduit): MemberRoute[] {
  const body = octets('A control frame: session, then acks, rejects and receipts.', CONTROL_BYTES);
  return [
    {
      call: 'claim',
      method: 'POST',
      url: '/v2/claim',
      allowed: 'receive',
      schema: describe('Acknowledge, then lease the next block; a cover comes when there is none.', {
        body,
        response: { 200: octets('Block or cover, then a control frame.', conduit.store.blockBytes + CONTROL_BYTES) },
      }),
      handle: (exchange) => claim(conduit, exchange),
    },
    {
      call: 'ack',
      method: 'POST',
      url: '/v2/ack',
      allowed: 'receive',
      schema: describe('Acknowledge without leasing anything.', {
        body,
        response: { 200: octets('A control frame: epoch, then a status or problem for each item.', CONTROL_BYTES) },
      }),
      async handle(exchange) {
        const items = await receiveControl(conduit, exchange);
        const said = settle(conduit, exchange.member(), items);
        return sendControl(exchange.reply, 200, fillControl([epoch(conduit), ...said]).fits);
      },
    },
  ];
}

async function claim(conduit: Conduit, exchange: MemberExchange): Promise<unknown> {
  const uniform = isUniform(exchange);
  const { did } = exchange.member().device;
  if (uniform) conduit.attendance.heard(did);
  let given: readonly ControlItem[] = [{ type: 'cover' }];
  const held: { lease?: Lease | undefined } = {};
  const act = async (): Promise<ControlItem[]> => {
    const items = await receiveControl(conduit, exchange);
    const session = itemOf(items, 'session');
    if (!session) throw new Problem('control-invalid', 'a claim needs a session item');
    const said = settle(conduit, exchange.member(), items);
    const proved = proofs(conduit, exchange.member(), session, said);
    const reader = exchange.member();
    held.lease = leaseFor(conduit, reader, session);
    if (held.lease) given = [leaseItem(held.lease), ...loggedOf(conduit, reader, held.lease)];
    return [...said, ...proved];
  };
  const said = await (uniform ? atFixedTime(conduit, exchange, act) : act()).catch((thrown) => {
    held.lease?.release();
    throw thrown;
  });
  const { lease } = held;
  const { fits } = fillControl([epoch(conduit), ...given, ...said]);
  const piece = uniform ? conduit.rosterPieces.beside(did, roomBeside(fits)) : [];
  const frame = encodeControl([...fits, ...piece]);
  return streamParts(exchange.reply, [lease?.bytes ?? conduit.cover, frame], {
    timeLimitMs: bodyMs(conduit),
    windowMs: uniform ? windowMs(conduit.roster.current.profile.intervalMs) : 0,
    release: () => lease?.release(),
  });
}

function loggedOf(conduit: Conduit, { device }: Member, { transferId }: Lease): ControlItem[] {
  return conduit.audit.receipts.forReader(transferId, device.did);
}

/** Proofs of log receipts of before: as many beside a cover as beside a block. */
function proofs(conduit: Conduit, { device }: Member, session: Session, said: readonly ControlItem[]): ControlItem[] {
  const owed = conduit.audit.receipts.proofs.reader;
  owed.claimed(device.did, toHex(session.sessionId));
  return owed.next(device.did, roomBeside(said) - LEASE_ROOM);
}

function leaseFor(conduit: Conduit, { device: { did } }: Member, session: Session): Lease | undefined {
  conduit.activity.claimed(did);
  conduit.audit.presence.claimed(did, session.sessionId);
  const lease = conduit.deliveries.claim(conduit.now(), did, toHex(session.sessionId), session.maxLeases);
  if (!lease) conduit.metrics.cover();
  return lease;
}

async function receiveControl(conduit: Conduit, { request }: MemberExchange): Promise<ControlItem[]> {
  requireType(request, OCTETS);
  return parseControl(await readBody(request.raw, CONTROL_BYTES, bodyMs(conduit)));
}

/** Does what the items say, one after the other; each answer is a status, or a problem that stops no other item. */
function settle(conduit: Conduit, reader: Member, items: readonly ControlItem[]): ControlItem[] {
  return items.flatMap((item) => {
    try {
      return settleOne(conduit, reader, item);
    } catch (thrown) {
      const { code, detail } = asProblem(thrown);
      conduit.metrics.refusal(code);
      conduit.log.warn({ device: reader.device.name, item: item.type, code, detail }, 'refused an item');
      const transferId = 'transferId' in item ? item.transferId : NO_TRANSFER;
      return [{ type: 'problem', transferId, code }];
    }
  });
}

function settleOne(conduit: Conduit, reader: Member, item: ControlItem): ControlItem[] {
  const { deliveries, engine, receipts } = conduit;
  const { did } = reader.device;
  switch (item.type) {
    case 'ack': {
      const commit = ackCommit(engine, item.ackSecret);
      const state = deliveries.ack(conduit.now(), did, toHex(item.transferId), commit);
      return [{ type: 'status', transferId: item.transferId, state }];
    }
    case 'reject': {
      const state = deliveries.reject(conduit.now(), did, toHex(item.transferId), item.code);
      return [{ type: 'status', transferId: item.transferId, state }];
    }
    case 'receipt':
      receipts.keep(reader, item.bytes);
      return [];
    default:
      return [];
  }
}

function epoch(conduit: Conduit): ControlItem {
  return { type: 'epoch', epochId: conduit.epoch };
}

function leaseItem(lease: Lease): ControlItem {
  return {
    type: 'lease',
    transferId: fromHex(lease.transferId, 16),
    blockSha256: fromHex(lease.hash, 32),
    attempt: lease.attempt,
    leaseMs: lease.leaseMs,
  };
}
