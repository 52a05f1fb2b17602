/**
 * The control: a sender that pads every block to the same size and believes that this is enough. It compresses and seals
 * at the tick, and writes the block at once.
 *
 *     naive-sender.ts FOLDER URL PIN INTERVAL_MS PAIRS
 *
 * FOLDER is an empty one, for the site's roster. Prints first {gridMs}, then each scene of two slots, as lines of JSON:
 * {pair, kind, isEvent, fromMs, toMs}.
 */
import { randomInt } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { RelayClient } from '../../tools/lib/relay-client.ts';
import { monotonicClock } from '../../tools/lib/slot-clock.ts';
import { sealTo } from '../fixtures/relay.ts';
import { BLOCK_BYTES, plantSite } from './plant.ts';

const SCENE_SLOTS = 2;
const EVENT_LINES = 30_000;
/** Of what it compressed, as much as a block surely takes. */
const MOST_BYTES = 98_304;

const [folder, url, pin] = process.argv.slice(2) as [string, string, string];
const [intervalMs, pairs] = process.argv.slice(5).map(Number) as [number, number];
const site = plantSite(folder, intervalMs);
const [plc, historian] = [site.device('plc'), site.device('historian')];
const relay = new RelayClient({ url, pins: [pin], apiKey: plc.apiKey });
const never = new AbortController().signal;

const gridMs = performance.now() + 1000;
say({ gridMs: performance.timeOrigin + gridMs });
let slot = 0;
for (let pair = 0; pair < pairs; pair++) {
  const first = randomInt(2) === 1;
  for (const isEvent of [first, !first]) {
    const fromMs = performance.timeOrigin + openMs() - 0.1 * intervalMs;
    for (let i = 0; i < SCENE_SLOTS; i++) {
      await monotonicClock.sleep(openMs() - performance.now(), never);
      slot += 1;
      await relay.submit(build(isEvent)).catch(() => {}); // a refusal says nothing about the wire
    }
    say({ pair, kind: 'naive', isEvent, fromMs, toMs: fromMs + SCENE_SLOTS * intervalMs });
  }
}
relay.close();

function openMs(): number {
  return gridMs + slot * intervalMs;
}

/** Everything that a good sender does before the slot. */
function build(isEvent: boolean): Uint8Array {
  const lines = Array.from({ length: isEvent ? EVENT_LINES : 1 }, (_, i) => `pressure ${i} ${Math.random()}`);
  const plain = gzipSync(lines.join('\n')).subarray(0, MOST_BYTES);
  return sealTo(plc, [historian], { blockSize: BLOCK_BYTES, plain });
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
