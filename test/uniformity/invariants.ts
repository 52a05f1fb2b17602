/**
 * What must be the same in each slot, counted in a decrypted capture: bytes of TLS application data, records and header
 * bytes of request and answer, exchanges and connections. Their variance is zero or something can be told.
 */
import type { RecordRow } from './capture.ts';

/** Of each record of TLS 1.3: content type and tag. */
const OVERHEAD_BYTES = 17;
const DATA = 23;

/** One direction of an exchange. */
export interface Side {
  bytes: number;
  records: number;
  headerBytes: number;
}

export interface Exchange {
  readonly connection: number;
  /** When its first byte came by. */
  readonly beganMs: number;
  readonly request: Side;
  readonly answer: Side;
}

/** A capture's lane exchanges: those that carry a block, on the connections that do. Those under way are left out. */
export function laneExchanges(rows: readonly RecordRow[], device: string, blockBytes: number): Exchange[] {
  const exchanges = [...Map.groupBy(rows, ({ connection }) => connection).values()].flatMap((own) => {
    return exchangesOf(own, device).slice(0, -1);
  });
  const carries = ({ request, answer }: Exchange) => Math.max(request.bytes, answer.bytes) >= blockBytes;
  const lanes = new Set(exchanges.filter(carries).map(({ connection }) => connection));
  return exchanges.filter(({ connection }) => lanes.has(connection)).sort((a, b) => a.beganMs - b.beganMs);
}

function exchangesOf(rows: readonly RecordRow[], device: string): Exchange[] {
  const exchanges: Exchange[] = [];
  for (const { connection, source, types, lengths, timeMs, headerBytes } of rows) {
    const plain = lengths.filter((_, at) => types[at] === DATA).map((length) => length - OVERHEAD_BYTES);
    if (plain.length === 0) continue;
    let current = exchanges.at(-1);
    const isRequest = source === device;
    if (!current || (isRequest && current.answer.records > 0)) {
      current = { connection, beganMs: timeMs, request: nothing(), answer: nothing() };
      exchanges.push(current);
    }
    const side = isRequest ? current.request : current.answer;
    side.bytes += plain.reduce((sum, bytes) => sum + bytes, 0);
    side.records += plain.length;
    side.headerBytes += headerBytes ?? 0;
  }
  return exchanges;
}

function nothing(): Side {
  return { bytes: 0, records: 0, headerBytes: 0 };
}

/** A time in which slots do not count: a wire was cut in it. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** When a slot begins, and how long each is. */
export interface Grid {
  readonly openMs: number;
  readonly intervalMs: number;
}

export interface Invariants {
  /** Slots with an exchange, but for those in which a connection begins or ends. */
  readonly slots: number;
  /** Variance of each figure over slots, by its name. */
  readonly variances: Readonly<Record<string, number>>;
  /** The value of each that the first slot had. */
  readonly values: Readonly<Record<string, number>>;
}

/**
 * Variances over all slots of one capture. In a slot that the device kept, each lane has one exchange, on a connection of
 * its own. Slots within `except` are left out; a slot that the device missed has nothing to compare.
 */
export function invariantsOf(exchanges: readonly Exchange[], grid: Grid, except: readonly Span[] = []): Invariants {
  const counted = exchanges.filter(({ beganMs }) => !except.some((span) => within(span, beganMs)));
  const numbers = slotNumbers(counted, grid);
  const bySlot = Map.groupBy(counted, (exchange) => numbers.get(exchange)!);
  for (const own of Map.groupBy(counted, ({ connection }) => connection).values()) {
    for (const edge of [own[0]!, own.at(-1)!]) bySlot.delete(numbers.get(edge)!); // other lanes may begin or end beside it
  }
  const slots = [...bySlot.values()];
  const series: Record<string, readonly number[]> = {
    exchanges: slots.map(({ length }) => length),
    connections: slots.map((own) => new Set(own.map(({ connection }) => connection)).size),
    requestBytes: counted.map(({ request }) => request.bytes),
    requestRecords: counted.map(({ request }) => request.records),
    requestHeaderBytes: counted.map(({ request }) => request.headerBytes),
    answerBytes: counted.map(({ answer }) => answer.bytes),
    answerRecords: counted.map(({ answer }) => answer.records),
    answerHeaderBytes: counted.map(({ answer }) => answer.headerBytes),
  };
  const each = (of: (values: readonly number[]) => number) =>
    Object.fromEntries(Object.entries(series).map(([name, values]) => [name, of(values)]));
  return { slots: slots.length, variances: each(variance), values: each((values) => values[0] ?? 0) };
}

/**
 * The slot of each exchange. One that this machine delayed for so long that it began in the next slot belongs to the one
 * before, when its connection has none there; two of one slot stay two.
 */
function slotNumbers(exchanges: readonly Exchange[], { openMs, intervalMs }: Grid): Map<Exchange, number> {
  const numbers = new Map<Exchange, number>();
  for (const own of Map.groupBy(exchanges, ({ connection }) => connection).values()) {
    for (const [at, exchange] of own.entries()) {
      const number = Math.floor((exchange.beganMs - openMs) / intervalMs);
      const before = own[at - 1];
      const twoBefore = at > 1 ? numbers.get(own[at - 2]!)! : Number.NEGATIVE_INFINITY;
      if (before && numbers.get(before) === number && twoBefore < number - 1) numbers.set(before, number - 1);
      numbers.set(exchange, number);
    }
  }
  return numbers;
}

function within({ fromMs, toMs }: Span, atMs: number): boolean {
  return atMs >= fromMs && atMs < toMs;
}

/** A head of the audit log as anybody may read it: the name of its epoch, and how many leaves it has. */
export interface Head {
  readonly origin: string;
  readonly size: number;
}

/** Leaves that each head of the log has more than the one before: their variance. Null when there are fewer than three. */
export function treeGrowthVariance(heads: readonly Head[]): number | null {
  const growth = [...Map.groupBy(heads, ({ origin }) => origin).values()].flatMap((epoch) => {
    const sizes = epoch.map(({ size }) => size).sort((a, b) => a - b);
    return sizes.slice(1).map((size, at) => size - sizes[at]!);
  });
  return growth.length < 3 ? null : variance(growth);
}

/** 0 for equal values, exactly; of none too. */
export function variance(values: readonly number[]): number {
  if (values.every((value) => value === values[0])) return 0;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}
