/**
 * The uniform exchange, as the relay keeps it: whoever accepts nothing but octets gets every answer in the same bytes
 * at the same time after its last one, whatever was said and whatever became of it. A refusal is an item of the control
 * frame. Only strangers get the answer of strangers.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_BLOCK_BYTES } from '../../protocol/block.ts';
import type { Call } from '../../protocol/config.ts';
import type { ControlItem } from '../../protocol/control.ts';
import { asProblem, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { answerMs } from '../../protocol/slot-plan.ts';
import { bodyMs, type Conduit } from '../conduit.ts';
import { discardBody } from '../http/body.ts';
import { OCTETS } from '../http/octet-reply.ts';
import { deviceBehind } from '../members/auth.ts';
import type { Exchange } from './route.ts';

/** The transfer id of a problem that is about no transfer. */
export const NO_TRANSFER: Uint8Array = new Uint8Array(16);

/** What is no answer to a device: to a stranger, or over a connection that is of no use any more. */
const OUTSIDE: readonly ProblemCode[] = ['not-available', 'body-timeout', 'body-incomplete'];

/** Calls that answer at a fixed time who keeps the uniform exchange. */
export const UNIFORM_CALLS: readonly Call[] = ['inbound', 'claim', 'membership'];

/** Whether the caller keeps the uniform exchange. */
export function isUniform({ request }: Pick<Exchange, 'request'>): boolean {
  return request.headers.accept === OCTETS;
}

/**
 * The items that `act` gives, or the problem that it threw, at the fixed time after the last byte of the request.
 * Throws what is not for the frame, and `body-incomplete` when the caller has gone.
 */
export async function atFixedTime(
  conduit: Conduit,
  exchange: Exchange,
  act: () => Promise<readonly ControlItem[]>,
): Promise<readonly ControlItem[]> {
  const { raw } = exchange.request;
  let endedMs = performance.now();
  raw.once('end', () => {
    endedMs = performance.now();
  });
  const items = await act().catch((thrown) => refusal(conduit, exchange, asProblem(thrown)));
  await conduit.audit.settled(); // before the fixed time, not behind it: how long a stick takes does not show
  const { intervalMs } = conduit.roster.current.profile;
  await sleep(Math.max(0, Math.ceil(endedMs + answerMs(intervalMs) - performance.now())));
  if (exchange.reply.raw.destroyed) throw new Problem('body-incomplete', 'the caller left before its answer');
  return items;
}

/** Says in the relay's logs that a device was refused, and reads what is left of its body. */
async function refusal(conduit: Conduit, { request, zone }: Exchange, problem: Problem): Promise<ControlItem[]> {
  const { code, detail } = problem;
  if (OUTSIDE.includes(code)) throw problem;
  if (!(await discardBody(request.raw, MAX_BLOCK_BYTES, bodyMs(conduit)))) throw problem;
  const did = deviceBehind(conduit.registry, request.headers.authorization)?.device.did;
  conduit.metrics.refusal(code);
  if (did) conduit.audit.refused(did, code);
  else conduit.audit.refusedStranger(zone.name, code);
  const call = request.routeOptions.config.url;
  conduit.log[code === 'internal' ? 'error' : 'warn'](
    { zone: zone.name, call, peer: request.ip, code, detail },
    'refused',
  );
  return [{ type: 'problem', transferId: NO_TRANSFER, code }];
}
