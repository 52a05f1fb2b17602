/** The log of a running relay as an auditor asks for it. Answers are bounded and parsed; the caller verifies them. */
import { utf8 } from '../../protocol/bytes.ts';
import { type Json, parseJson } from '../../protocol/canonical.ts';
import type { Hasher } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { check, integer, list, object, type Shape, text } from '../../protocol/shape.ts';
import { originText } from '../../protocol/shapes.ts';
import { toHex } from '../../protocol/text.ts';
import { parseBundle, type Tile, tilePath } from '../../protocol/tile.ts';
import type { RelayClient } from '../lib/relay-client.ts';
import { MAX_BUNDLE_BYTES, MAX_PROOF_BYTES } from './epoch-files.ts';

/** Heads of the feed: the newest twenty and one an hour of a week; room for more. */
const MAX_HEADS = 4096;

const SIZE = integer(0, Number.MAX_SAFE_INTEGER);
const TEXT = text('a text', 1, 2 ** 20, /^/);
const HEAD = { origin: originText, size: SIZE, root: TEXT, seconds: SIZE };
const HISTORY = object({ mode: TEXT, heads: list(object(HEAD), 0, MAX_HEADS) });
const STH = object({ ...HEAD, checkpoint: TEXT });

export class RelayLog {
  readonly #hasher: Hasher;
  readonly #relay: Pick<RelayClient, 'logCall'>;

  constructor(hasher: Hasher, relay: Pick<RelayClient, 'logCall'>) {
    this.#hasher = hasher;
    this.#relay = relay;
  }

  /** The `.tlog-proof` of the statement of an epoch, the newest when none is named; refuses `not-available`. */
  statement(origin?: string): Promise<Uint8Array> {
    const path = origin === undefined ? '/v2/ct/epoch' : `${this.#below(origin)}/epoch`;
    return this.#relay.logCall(path, MAX_PROOF_BYTES);
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

  /** The entries of a bundle; refuses `not-available` when they are gone or not for this device, `log-tile-invalid`. */
  async entries(origin: string, bundle: Tile): Promise<Uint8Array[]> {
    const bytes = await this.#relay.logCall(`${this.#below(origin)}/${tilePath(bundle)}`, MAX_BUNDLE_BYTES);
    return parseBundle(bytes, bundle.width);
  }

  #below(origin: string): string {
    return `/v2/ct/epochs/${toHex(this.#hasher.sha256(utf8(origin)))}`;
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
