/**
 * The control: a sender that pads every block to the same size and believes that this is enough. It compresses and seals
 * at the tick, and writes the block at once.
 *
 *     naive-sender.ts CONFIG URL PIN BLOCK_BYTES INTERVAL_MS PAIRS
 *
 * Prints each scene of two slots as a line of JSON: {pair, kind, isEvent, fromMs, toMs}, and first {gridMs}.
 */
import { randomInt } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { keyIdOf, sealBlock } from '../../protocol/envelope.ts';
import { NO_GROUP } from '../../protocol/frame.ts';
import { NO_RUN, streamId } from '../../protocol/stream.ts';
import { deviceSeeds } from '../../tools/ghostpipe/device-seeds.ts';
import { readEnrolment } from '../../tools/lib/device.ts';
import { deviceFolder } from '../../tools/lib/paths.ts';
import { RelayClient } from '../../tools/lib/relay-client.ts';
import { monotonicClock } from '../../tools/lib/slot-clock.ts';

const SCENE_SLOTS = 2;
const EVENT_LINES = 30_000;
/** Of what it compressed, as much as a block surely takes. */
const MOST_BYTES = 98_304;

const [config, url, pin] = process.argv.slice(2) as [string, string, string];
const [blockBytes, intervalMs, pairs] = process.argv.slice(5).map(Number) as [number, number, number];
const { device, apiKey } = readEnrolment(engine, deviceFolder(config, 'plc'));
const { device: reader } = readEnrolment(engine, deviceFolder(config, 'historian'));
const { publicKey } = engine.kemKey(deviceSeeds(config, 'historian').at(-1)!);
const relay = new RelayClient({ url, pins: [pin], apiKey });
const block = new Uint8Array(blockBytes);
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
      build(isEvent);
      await relay.submit(block).catch(() => {}); // a refusal says nothing about the wire
    }
    say({ pair, kind: 'naive', isEvent, fromMs, toMs: fromMs + SCENE_SLOTS * intervalMs });
  }
}
relay.close();

function openMs(): number {
  return gridMs + slot * intervalMs;
}

/** Everything that a good sender does before the slot. */
function build(isEvent: boolean): void {
  const lines = Array.from({ length: isEvent ? EVENT_LINES : 1 }, (_, i) => `pressure ${i} ${Math.random()}`);
  const plain = gzipSync(lines.join('\n')).subarray(0, MOST_BYTES);
  sealBlock(engine, block, {
    recipients: [{ keyId: keyIdOf(engine, publicKey), publicKey }],
    views: 1,
    ttlSeconds: 3600,
    burnAtClaim: false,
    signer: device.signer,
    fields: {
      senderDigest: device.digest,
      keyGeneration: device.generation,
      streamId: streamId(device.digest, [reader.digest]),
      run: NO_RUN,
      previousRun: NO_RUN,
      blockSeq: slot,
      firstRecord: 0,
      recordCount: 0,
      wallTimeMs: 0,
      timeQuality: 'none',
      monotonicMs: 0,
      expiryMs: 0,
      type: 'selftest',
      group: NO_GROUP,
    },
    plain: new Uint8Array(plain),
  });
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
