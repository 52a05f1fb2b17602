/**
 * The catalogue of the audit log: every action that a log record can tell of, with its category of auditable events
 * (IEC 62443-3-3 SR 2.8), its event number, who can have caused it, how it can have ended, and its object.
 *
 * Numbers and names are stable for ever. What an unauthenticated peer can cause carries a count and is written once
 * for many. No object has a place for content, its hash, its true size, a file name or a network address.
 */
import { EPOCH_OPENING } from './epoch-opening.ts';
import { REJECT_CODES } from './reject.ts';
import { integer, object, oneOf, type Shape, text } from './shape.ts';
import { bytesText, didText, idText, nameText, originText, zone } from './shapes.ts';

export const CATEGORIES = ['access', 'request', 'os', 'conduit', 'backup', 'config', 'recon', 'audit'] as const;
export type Category = (typeof CATEGORIES)[number];

export const RESULTS = ['success', 'failure', 'denied', 'unknown'] as const;
export type Result = (typeof RESULTS)[number];

/** Who can cause an action; `self` is the device by which a relay tests itself, `peer` somebody without an identity. */
export const SOURCE_KINDS = ['relay', 'device', 'self', 'operator', 'peer', 'stick', 'cosigner'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

/** What the log promises, by its number in a log receipt. */
export const AUDIT_MODES = ['required', 'required-degraded', 'best-effort', 'none'] as const;
export type AuditMode = (typeof AUDIT_MODES)[number];

/** One action of the catalogue. */
export interface ActionKind<O> {
  readonly category: Category;
  readonly event: number;
  readonly sources: readonly SourceKind[];
  readonly results: readonly Result[];
  readonly object: Shape<O>;
}

const COUNT = integer(1, Number.MAX_SAFE_INTEGER);
const SIZE = integer(0, Number.MAX_SAFE_INTEGER);
const MILLISECONDS = integer(0, Number.MAX_SAFE_INTEGER);
const STEP = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
/** A code of the problem catalogue of this version or another. */
const CODE = text('a problem code', 1, 64, /^[a-z]+(-[a-z]+)*$/);
const SECRET_KIND = oneOf(['api', 'kem']);
const HASH = bytesText(32);

const OK: readonly Result[] = ['success'];
const DENIED: readonly Result[] = ['denied'];
const FAILED: readonly Result[] = ['failure'];
const EITHER: readonly Result[] = ['success', 'failure', 'unknown'];

const RELAY: readonly SourceKind[] = ['relay'];
const DEVICE: readonly SourceKind[] = ['device', 'self'];
const OPERATOR: readonly SourceKind[] = ['operator'];
const PEER: readonly SourceKind[] = ['peer'];
const ANY_CLIENT: readonly SourceKind[] = ['device', 'self', 'operator', 'peer'];

/** By name. `x` is a transfer id. */
export const ACTIONS = {
  'auth.ok': action('access', 101, DEVICE, OK, object({ zone })),
  'auth.failed': action('access', 102, ANY_CLIENT, DENIED, object({ count: COUNT, zone })),
  'key.issued': action('access', 103, [...RELAY, ...DEVICE], OK, object({ did: didText, kind: SECRET_KIND })),
  'key.revoked': action('access', 104, [...OPERATOR, ...DEVICE], OK, object({ did: didText, kind: SECRET_KIND })),
  'did.registered': action('access', 105, DEVICE, OK, object({ did: didText, zone })),
  'did.revoked': action('access', 106, [...OPERATOR, ...DEVICE], OK, object({ did: didText })),
  'session.ended': action('access', 107, DEVICE, OK, object({ reason: oneOf(['closed', 'timeout', 'taken-over']) })),

  'request.denied': action('request', 201, ANY_CLIENT, DENIED, object({ code: CODE, count: COUNT })),
  'request.malformed': action('request', 202, ANY_CLIENT, FAILED, object({ code: CODE, count: COUNT })),
  'quota.exceeded': action('request', 203, DEVICE, DENIED, object({ code: CODE, count: COUNT })),

  boot: action('os', 301, RELAY, OK, object({ reason: oneOf(['power', 'restart', 'watchdog', 'update', 'unknown']) })),
  shutdown: action('os', 302, RELAY, EITHER, object({ reason: oneOf(['signal', 'operator', 'update', 'fault']) })),
  watchdog: action('os', 303, RELAY, FAILED, object({ silentMs: MILLISECONDS })),
  'clock.set': action('os', 304, [...RELAY, ...OPERATOR], OK, object({ stepMs: STEP })),
  'memory.low': action('os', 305, RELAY, FAILED, object({ freeMiB: SIZE })),
  'usb.refused': action('os', 306, ['stick'], DENIED, object({ class: integer(0, 255) })),
  'stick.attached': action('os', 307, ['stick'], EITHER, object({ freeMiB: SIZE })),
  'stick.removed': action('os', 308, ['stick'], EITHER, object({})),

  'transfer.accepted': action('conduit', 401, DEVICE, OK, object({ c: HASH, route: idText, views: COUNT, x: idText })),
  'transfer.adopted': action('conduit', 402, RELAY, OK, object({ x: idText })),
  'transfer.release': action('conduit', 403, DEVICE, OK, object({ attempt: COUNT, x: idText })),
  'transfer.delivered': action('conduit', 404, DEVICE, OK, object({ x: idText })),
  'transfer.rejected': action('conduit', 405, DEVICE, FAILED, object({ code: oneOf(REJECT_CODES), x: idText })),
  'transfer.expired': action('conduit', 406, RELAY, FAILED, object({ open: COUNT, x: idText })),
  'transfer.dropped': action(
    'conduit',
    407,
    [...RELAY, ...DEVICE],
    EITHER,
    object({ reason: oneOf(['sender', 'revoked', 'damaged', 'shutdown']), x: idText }),
  ),
  'slot.missed': action('conduit', 408, DEVICE, FAILED, object({ count: COUNT })),
  'device.stale': action('conduit', 409, DEVICE, FAILED, object({ silentMs: MILLISECONDS })),
  'firmware.published': action('conduit', 410, [...OPERATOR, ...DEVICE], OK, object({ manifest: HASH })),
  'firmware.receipt': action(
    'conduit',
    411,
    DEVICE,
    EITHER,
    object(
      {
        manifest: HASH,
        state: oneOf(['offered', 'fetched', 'verified', 'written', 'booted', 'confirmed', 'rolled-back', 'refused']),
      },
      { code: CODE },
    ),
  ),
  'group.changed': action('conduit', 412, OPERATOR, OK, object({ group: nameText, version: COUNT })),

  'export.started': action('backup', 501, [...RELAY, ...DEVICE], OK, object({ below: SIZE, from: SIZE })),
  'export.finished': action('backup', 502, [...RELAY, ...DEVICE], EITHER, object({ below: SIZE, from: SIZE })),
  'audit.cosigned': action('backup', 503, ['cosigner'], OK, object({ origin: originText, size: SIZE })),
  'import.prev': action('backup', 504, RELAY, EITHER, object({ origin: originText, root: HASH, size: SIZE })),
  prune: action(
    'backup',
    505,
    RELAY,
    OK,
    object({ basis: oneOf(['cosigned', 'stick', 'closed', 'limit']), below: SIZE, origin: originText }),
  ),

  'config.loaded': action('config', 601, [...RELAY, ...OPERATOR], EITHER, object({ hash: HASH, version: SIZE })),
  'policy.changed': action('config', 602, OPERATOR, OK, object({ policy: oneOf(['roster']), version: COUNT })),
  'licence.loaded': action('config', 603, OPERATOR, EITHER, object({ hash: HASH })),

  probe: action(
    'recon',
    701,
    PEER,
    DENIED,
    object({ count: COUNT, kind: oneOf(['connection', 'handshake', 'request']), source: idText }),
  ),

  'log.epoch.open': action('audit', 801, RELAY, OK, EPOCH_OPENING),
  'log.epoch.close': action(
    'audit',
    802,
    RELAY,
    OK,
    object({ reason: oneOf(['shutdown', 'leaves', 'age', 'clock', 'selfcheck']) }),
  ),
  'log.mode': action('audit', 803, [...RELAY, ...OPERATOR], OK, object({ mode: oneOf(AUDIT_MODES) })),
  'log.lost': action('audit', 804, RELAY, FAILED, object({ below: SIZE, from: SIZE, origin: originText })),
  'log.storage': action(
    'audit',
    805,
    RELAY,
    EITHER,
    object({ state: oneOf(['ready', 'missing', 'full', 'failing', 'read-only', 'foreign']) }),
  ),
  'log.behind': action('audit', 806, RELAY, FAILED, object({ unarchived: COUNT })),
  'log.fill': action('audit', 807, RELAY, OK, object({})),
  'log.selfcheck.failed': action('audit', 808, RELAY, FAILED, object({ origin: originText, size: SIZE })),
  'evidence.anchored': action('audit', 809, [...RELAY, ...OPERATOR], OK, object({ hash: HASH })),
} as const satisfies Readonly<Record<string, ActionKind<unknown>>>;

export type Action = keyof typeof ACTIONS;

function action<O>(
  category: Category,
  event: number,
  sources: readonly SourceKind[],
  results: readonly Result[],
  object: Shape<O>,
): ActionKind<O> {
  return { category, event, sources, results, object };
}
