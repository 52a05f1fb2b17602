/** What the first record says of why the process began: only what was in memory tells, and no power cut leaves that. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DEFAULT_LISTENER, parseRelayConfig } from '../../protocol/config.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { parseLogRecord } from '../../protocol/log-record.ts';
import { relayIdentity } from '../../relay/identity.ts';
import { openAudit } from '../../relay/log/open-audit.ts';
import { makeLog } from '../../relay/monitor/event-log.ts';
import { seedOf } from '../fixtures/site.ts';

t.test('a stick that kept the log over a power cut does not make it a restart', async (t) => {
  const directory = t.testdir();
  const [stick, journals] = [join(directory, 'stick'), join(directory, 'journals')];
  for (const folder of [stick, journals]) mkdirSync(folder);
  const config = parseRelayConfig({
    listeners: [DEFAULT_LISTENER],
    seedFile: 'seed',
    store: { kind: 'tmpfs', slots: 1, path: journals },
    audit: { mode: 'required', stick: { path: stick } },
  });
  const run = async () => {
    const audit = await openAudit(config, {
      appliance: null,
      engine,
      identity: relayIdentity(engine, seedOf('relay'), 'relay'),
      version: { version: '1.2.3' } as never,
      quantum: () => 1,
      now: () => performance.now(),
      startedMs: 0,
      freeBytes: () => 2 ** 30,
      log: makeLog('silent'),
      seedAgain: () => Promise.reject(new Error('not asked for')),
    });
    const { epochs } = audit.view;
    const opened = parseLogRecord(epochs.at(-1)!.statement);
    await audit.close();
    return { boot: opened.act === 'log.epoch.open' && opened.obj.boot, epochs: epochs.length };
  };
  await run();
  t.match(await run(), { boot: 'restart', epochs: 2 }, 'its journal is there');
  for (const name of readdirSync(journals)) rmSync(join(journals, name));
  const { boot, epochs } = await run();
  t.match(boot, /^(power|unknown)$/, 'by how long this machine is up');
  t.equal(epochs, 2, 'the last one is back from the stick');
});
