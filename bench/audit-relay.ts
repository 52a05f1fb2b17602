/**
 * The relay with a long audit log, run as `audit-relay.ts relay --config FILE --json`: before it says that it is ready it
 * records as many log records of traffic as `GHOSTPIPE_BENCH_RECORDS` says, in as many epochs as `GHOSTPIPE_BENCH_EPOCHS`
 * says: between two of them its wall clock is set forward by more than an epoch may differ from it.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { nativeEngine as engine } from '../protocol/engine/native.ts';
import { didOf } from '../protocol/identity.ts';
import { toBase64Url, toHex } from '../protocol/text.ts';
import { loadConfig } from '../relay/config.ts';
import type { Draft } from '../relay/log/draft.ts';
import { startRelay } from '../relay/service.ts';

/** Records between two looks at what else there is to do. */
const BATCH = 3000;
/** More than the time of an epoch may differ from the wall clock. */
const CLOCK_STEP_MS = 7_200_000;
/** Room for one epoch of some millions. */
const RAM_MIB = 8192;

const file = process.argv[process.argv.indexOf('--config') + 1];
const config = await loadConfig(file, process.env);
const relay = await startRelay({ ...config, audit: { ...config.audit, ramMiB: RAM_MIB } }, { engine });
const { audit } = relay.conduit!;
const src = { id: didOf(engine.random(32)), k: 'device' } as const;
const epochs = Number(process.env.GHOSTPIPE_BENCH_EPOCHS);
for (let epoch = 1; epoch <= epochs; epoch++) {
  for (let left = Math.ceil(Number(process.env.GHOSTPIPE_BENCH_RECORDS) / epochs); left > 0; left -= BATCH) {
    for (let i = 0; i < Math.min(BATCH, left); i += 3) for (const draft of transfer()) audit.record(draft);
    await turn();
  }
  if (epoch < epochs) await nextEpoch();
}
const { name, listeners, pin, logPin } = relay;
process.stdout.write(`${JSON.stringify({ event: 'ready', name, listeners, pin, logPin })}\n`);
await new Promise((resolve) => process.once('SIGTERM', resolve));
await relay.close();

/** What is recorded of one block. */
function transfer(): Draft[] {
  const [x, route, c] = [toHex(engine.random(16)), toHex(engine.random(16)), toBase64Url(engine.random(32))];
  return [
    { act: 'transfer.accepted', obj: { c, route, views: 1, x }, res: 'success', src },
    { act: 'transfer.release', obj: { attempt: 1, x }, res: 'success', src },
    { act: 'transfer.delivered', obj: { x }, res: 'success', src },
  ];
}

/** Sets the clock of this process forward, and waits until the log has begun another epoch. */
async function nextEpoch(): Promise<void> {
  const { now } = Date;
  Date.now = () => now() + CLOCK_STEP_MS;
  const ended = audit.view.epochs.at(-1)!.origin;
  while (audit.view.epochs.at(-1)!.origin === ended) await sleep(20);
}
