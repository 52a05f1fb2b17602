/**
 * The relay with a long audit log, run as `audit-relay.ts relay --config FILE --json`: before it says that it is ready it
 * records as many log records of traffic as `GHOSTPIPE_BENCH_RECORDS` says.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { nativeEngine as engine } from '../protocol/engine/native.ts';
import { didOf } from '../protocol/identity.ts';
import { toBase64Url, toHex } from '../protocol/text.ts';
import { loadConfig } from '../relay/config.ts';
import type { Draft } from '../relay/log/draft.ts';
import { startRelay } from '../relay/service.ts';

/** Records between two looks at what else there is to do. */
const BATCH = 3000;
/** Room for one epoch of some millions. */
const RAM_MIB = 8192;

const file = process.argv[process.argv.indexOf('--config') + 1];
const config = await loadConfig(file, process.env);
const relay = await startRelay({ ...config, audit: { ...config.audit, ramMiB: RAM_MIB } }, { engine });
const { audit } = relay.conduit!;
const src = { id: didOf(engine.random(32)), k: 'device' } as const;
for (let left = Number(process.env.GHOSTPIPE_BENCH_RECORDS); left > 0; left -= BATCH) {
  for (let i = 0; i < Math.min(BATCH, left); i += 3) for (const draft of transfer()) audit.record(draft);
  await turn();
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
