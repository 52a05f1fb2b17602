/**
 * Log records: the entries of the audit log, canonical JSON in ASCII. The leaf is the exact bytes.
 *
 *     {"act":...,"cat":...,"eid":...,"i":...,"n":...,"obj":{...},"res":...,"src":{"id":...,"k":...},"t":...,"tq":...,
 *      "up":...,"v":1}
 */
import { utf8 } from './bytes.ts';
import { canonicalBytes, parseCanonical } from './canonical.ts';
import type { Engine } from './engine/engine.ts';
import { ACTIONS, type Action, type ActionKind, type Result, type SourceKind } from './log-action.ts';
import { Problem } from './problem.ts';
import { check, integer, type Of, object, oneOf, type Shape, text } from './shape.ts';
import { bytesText, didText, idText, nameText, originText, pinText, version1, zone } from './shapes.ts';
import { toBase64Url } from './text.ts';

export const MAX_LOG_RECORD_BYTES = 2048;
/** `log.epoch.open` carries keys and a signature. */
export const MAX_EPOCH_RECORD_BYTES = 16_384;
export const LOG_NONCE_BYTES = 16;

/** Who caused an action: an id whose form follows from the kind. */
export interface LogSource {
  readonly id: string;
  readonly k: SourceKind;
}

/** A log record as its writer has it; category and number follow from the action. */
export type LogEvent = { readonly [A in Action]: EventOf<A> }[Action];

interface EventOf<A extends Action> {
  readonly act: A;
  /** Index of the leaf. */
  readonly i: number;
  /** 16 random bytes in base64url, so that nobody guesses a leaf from its hash. */
  readonly n: string;
  readonly obj: Of<(typeof ACTIONS)[A]['object']>;
  readonly res: Result;
  readonly src: LogSource;
  /** Wall time in milliseconds, and how far to believe it. */
  readonly t: number;
  readonly tq: (typeof TIME_QUALITIES)[number];
  /** Milliseconds since the relay's process began. */
  readonly up: number;
}

const WHOLE = integer(0, Number.MAX_SAFE_INTEGER);
const TIME_QUALITIES = ['none', 'build', 'operator', 'ntp'] as const;

/** What the id of a source must look like. */
const SOURCE_IDS: Readonly<Record<SourceKind, Shape<string>>> = {
  relay: nameText,
  device: didText,
  self: didText,
  operator: pinText,
  peer: zone,
  stick: idText,
  cosigner: originText,
};

/** The whole record of each action. */
const SHAPES = new Map(Object.entries(ACTIONS).map(([act, kind]) => [act, recordShape(act, kind)]));

/** The bytes of a log record, which are a leaf; refuses `schema-invalid` and `log-record-invalid`. */
export function encodeLogRecord(event: LogEvent): Uint8Array {
  const { act, i, n, obj, res, src, t, tq, up } = event;
  const { category: cat, event: eid } = ACTIONS[act];
  const record = { act, cat, eid, i, n, obj, res, src, t, tq, up, v: 1 };
  checkRecord(record);
  return canonicalBytes(record);
}

/** Parses the bytes of a leaf; refuses `log-record-invalid`, `schema-invalid`, `json-invalid`, `json-not-canonical`. */
export function parseLogRecord(bytes: Uint8Array): LogEvent {
  const { cat, eid, v, ...event } = checkRecord(parseCanonical(bytes, MAX_EPOCH_RECORD_BYTES));
  return event as LogEvent;
}

/** The commitment to a block in `transfer.accepted`: base64url; the salt has 32 bytes and goes to sender and readers. */
export function blockCommitment(engine: Engine, salt: Uint8Array, blockSha256: Uint8Array): string {
  return toBase64Url(engine.sha256(utf8('ghostpipe/block-commit/v1'), salt, blockSha256));
}

function checkRecord(value: unknown): Of<ReturnType<typeof recordShape>> {
  const shape = SHAPES.get((value as Partial<LogEvent> | null)?.act ?? '');
  if (!shape) throw new Problem('log-record-invalid', 'the action is not in the catalogue of this version');
  const record = check(shape, value);
  if ((record.act === 'log.epoch.open') !== (record.i === 0)) {
    throw new Problem('log-record-invalid', `the action ${record.act} does not stand at index ${record.i}`);
  }
  return record;
}

function recordShape(act: string, { category, event, object: obj, results, sources }: ActionKind<unknown>) {
  return object({
    act: oneOf([act]),
    cat: oneOf([category]),
    eid: oneOf([event]),
    i: WHOLE,
    n: bytesText(LOG_NONCE_BYTES),
    obj,
    res: oneOf(results),
    src: sourceShape(sources),
    t: WHOLE,
    tq: oneOf(TIME_QUALITIES),
    up: WHOLE,
    v: version1,
  });
}

function sourceShape(kinds: readonly SourceKind[]): Shape<LogSource> {
  const source = object({ id: text('the id of a source', 1, 255), k: oneOf(kinds) });
  return (value, path) => {
    const { id, k } = source(value, path);
    return { id: SOURCE_IDS[k](id, `${path}.id`), k };
  };
}
