/** Where the readiness test finds the relay: written by `config` beside the secrets of `self`. */
import { join } from 'node:path';
import { isBlockSize } from '../protocol/block.ts';
import { parseJson } from '../protocol/canonical.ts';
import type { Engine } from '../protocol/engine/engine.ts';
import { Problem } from '../protocol/problem.ts';
import { check, integer, type Of, object, text } from '../protocol/shape.ts';
import { pinText, version1 } from '../protocol/shapes.ts';
import { relayListeners, testListener } from '../protocol/site-config.ts';
import { readFileBounded } from '../tools/lib/files.ts';
import { isWildcard } from '../tools/lib/nftables.ts';
import { relayPins } from '../tools/lib/relay-pins.ts';
import type { Card } from './card.ts';

export const PLACE_FILE = 'relay.json';
const LIMIT = 4096;

const url = text('an https:// address with a port', 10, 300);
const selfPlace = object({
  v: version1,
  /** Listeners that take blocks, and that give them. */
  inbound: url,
  claim: url,
  tlsPin: pinText,
  logPin: pinText,
  blockBytes: integer(1, 2 ** 30),
  intervalMs: integer(1, 3_600_000),
});
export type SelfPlace = Of<typeof selfPlace>;

/** What the test needs to know of the relay of this card. */
export function placeOf(engine: Engine, { config, roster, seed }: Card): SelfPlace {
  const pins = relayPins(engine, seed);
  const { blockSize, intervalMs } = roster.profile;
  return {
    v: 1,
    inbound: urlOf(config.relay, 'inbound'),
    claim: urlOf(config.relay, 'claim'),
    tlsPin: pins.tls,
    logPin: pins.log,
    blockBytes: blockSize,
    intervalMs,
  };
}

/** Reads it from the folder of `self`; refuses `config-missing` and `file-invalid`. */
export function readPlace(folder: string): SelfPlace {
  const path = join(folder, PLACE_FILE);
  const bytes = readFileBounded(path, LIMIT);
  if (!bytes) throw new Problem('config-missing', `${path} does not exist`);
  const place = check(selfPlace, parseJson(bytes, LIMIT));
  if (!isBlockSize(place.blockBytes))
    throw new Problem('file-invalid', `${path}: ${place.blockBytes} is no block size`);
  return place;
}

function urlOf(relay: Card['config']['relay'], call: 'inbound' | 'claim'): string {
  const listener = testListener(relayListeners(relay), call);
  const { address, port } = listener;
  const host = isWildcard(listener) ? (address.includes(':') ? '::1' : '127.0.0.1') : address;
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
