/**
 * The one call beside the slots, over a connection of its own at fixed times: a device registers and says what it has
 * of roster and keys, and gets what is new, the oldest first, as much as one control frame holds.
 */
import { canonicalBytes } from '../../protocol/canonical.ts';
import { CONTROL_BYTES, type ControlItem, itemOf, parseControl } from '../../protocol/control.ts';
import { fillControl } from '../../protocol/control-room.ts';
import { digestOf } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import { peersOf } from '../../protocol/roster.ts';
import { fromBase64Url, toHex } from '../../protocol/text.ts';
import { bodyMs, type Conduit } from '../conduit.ts';
import { readBody } from '../http/body.ts';
import { OCTETS, sendControl } from '../http/octet-reply.ts';
import { registered } from './registering.ts';
import { type OpenExchange, requireType } from './route.ts';
import { atFixedTime } from './uniform.ts';

export async function membership(conduit: Conduit, exchange: OpenExchange): Promise<unknown> {
  const epoch: ControlItem = { type: 'epoch', epochId: conduit.epoch };
  const told = await atFixedTime(conduit, exchange, () => join(conduit, exchange));
  return sendControl(exchange.reply, 200, fillControl([epoch, ...told]).fits);
}

async function join(conduit: Conduit, exchange: OpenExchange): Promise<readonly ControlItem[]> {
  const { raw } = exchange.request;
  let items: readonly ControlItem[] = [];
  const { device } = await registered(conduit, exchange, async () => {
    requireType(exchange.request, OCTETS);
    items = parseControl(await readBody(raw, CONTROL_BYTES, bodyMs(conduit)));
    const registration = itemOf(items, 'registration');
    if (!registration) throw new Problem('control-invalid', 'the frame holds no registration');
    return registration.bytes;
  });
  conduit.audit.receipts.introduced(device.did);
  const has = itemOf(items, 'rosterHave');
  const piece = has ? conduit.rosterPieces.answer(device.did, has) : [];
  return [...piece, ...peers(conduit, device.name, items)];
}

/** The keys of registered peers that the device did not say that it has. */
function peers({ roster, registry }: Conduit, name: string, items: readonly ControlItem[]): ControlItem[] {
  const had = new Set(
    items.flatMap((item) => (item.type === 'peerHave' ? [toHex(item.digest) + toHex(item.keyId)] : [])),
  );
  return peersOf(roster.current, name).flatMap(({ did }): ControlItem[] => {
    const registration = registry.withDid(did)?.registration;
    if (!registration) return [];
    const { identity, statement, statementDocument } = registration;
    const digest = digestOf(did);
    if (had.has(toHex(digest) + toHex(fromBase64Url(statement.keyId)))) return [];
    return [{ type: 'peer', digest, bytes: canonicalBytes({ identity, keyStatement: statementDocument }) }];
  });
}
