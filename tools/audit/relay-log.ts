/** The log of a running relay as an auditor asks for it. Answers are bounded and parsed; the caller verifies them. */
import { type Json, parseJson } from '../../protocol/canonical.ts';
import { MAX_LOG_RECORD_BYTES } from '../../protocol/log-record.ts';
import { Problem } from '../../protocol/problem.ts';
import { check, integer, list, object, type Shape, text } from '../../protocol/shape.ts';
import { originText } from '../../protocol/shapes.ts';
import { TILE_WIDTH } from '../../protocol/tile.ts';
import type { RelayClient } from '../lib/relay-client.ts';
import { MAX_PROOF_BYTES } from './epoch-files.ts';

/** Heads of the feed: the newest twenty and one an hour of a week; room for more. */
const MAX_HEADS = 4096;
/** Records in JSON, where every quotation mark has a backslash; leaf 0 among them. */
const MAX_RECORDS_BYTES = 2 * TILE_WIDTH * MAX_LOG_RECORD_BYTES + 65_536;

const SIZE = integer(0, Number.MAX_SAFE_INTEGER);
const TEXT = text('a text', 1, 2 ** 20, /^/);
const HEAD = { origin: originText, size: SIZE, root: TEXT, seconds: SIZE };
const HISTORY = object({ mode: TEXT, heads: list(object(HEAD), 0, MAX_HEADS) });
const STH = object({ ...HEAD, checkpoint: TEXT });
const RECORDS = object({ origin: originText, size: SIZE, from: SIZE, records: list(TEXT, 1, TILE_WIDTH) });

export class RelayLog {
  readonly #relay: Pick<RelayClient, 'logCall'>;

  constructor(relay: Pick<RelayClient, 'logCall'>) {
    this.#relay = relay;
  }

  /** The `.tlog-proof` of the statement of an epoch, the newest when none is named; refuses `not-available`. */
  statement(origin?: string): Promise<Uint8Array> {
    return this.#relay.logCall(
      `/v2/ct/epoch${origin === undefined ? '' : `?origin=${encodeURIComponent(origin)}`}`,
      MAX_PROOF_BYTES,
    );
  }

  /** Origin and size of each head that the relay keeps, newest first. */
  async heads(): Promise<readonly { readonly origin: string; readonly size: number }[]> {
    return (await this.#json('/v2/ct/sth/history', 2 ** 21, HISTORY)).heads;
  }

  /** The newest checkpoint of that size. */
  async checkpoint(origin: string, size: number): Promise<Uint8Array> {
    const { checkpoint } = await this.#json(
      `/v2/ct/sth?origin=${encodeURIComponent(origin)}&size=${size}`,
      2 ** 18,
      STH,
    );
    return Buffer.from(checkpoint);
  }

  /** Entries `from` to `from + count - 1`; refuses `relay-answer-invalid` when they are not as many. */
  async entries(origin: string, from: number, count: number): Promise<Uint8Array[]> {
    const path = `/v2/ct/log?origin=${encodeURIComponent(origin)}&from=${from}&limit=${count}`;
    const { records } = await this.#json(path, MAX_RECORDS_BYTES, RECORDS);
    if (records.length !== count) {
      throw new Problem(
        'relay-answer-invalid',
        `the relay gave ${records.length} of ${count} log records from ${from}`,
      );
    }
    return records.map((record) => Buffer.from(record));
  }

  async #json<T>(path: string, limit: number, shape: Shape<T>): Promise<T> {
    const bytes = await this.#relay.logCall(path, limit);
    try {
      return check(shape, parseJson(bytes, limit) as Json);
    } catch {
      throw new Problem('relay-answer-invalid', `the answer to ${path.split('?')[0]} is not what this version knows`);
    }
  }
}
