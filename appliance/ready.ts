/** `ready`: proves that the relay does its work, says so, and goes on proving it; feeds the watchdog as long as it does. */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nativeEngine } from '../protocol/engine/native.ts';
import { type CommandSpec, EXIT, numberOption, runCommand } from '../tools/lib/command.ts';
import { readEnrolment } from '../tools/lib/device.ts';
import { ServiceManager } from '../tools/lib/service-manager.ts';
import { monotonicClock } from '../tools/lib/slot-clock.ts';
import { listenForStop } from '../tools/lib/stop.ts';
import { Keeper } from './keeper.ts';
import { DEVICE, RUN } from './layout.ts';
import { Lamp } from './leds.ts';
import { readPlace } from './self-place.ts';
import { SelfTransfer } from './self-transfer.ts';
import { Watchdog } from './watchdog.ts';

const TICK_MS = 4000;
/** Until a test has passed, and while one does not. */
const RETRY_MS = 2000;

const SPEC: CommandSpec = {
  name: 'ghostpipe-appliance ready',
  summary:
    'send a sealed block through the relay to itself, say "ghostpipe: ready" when it comes out, and go on doing so',
  usage: '[OPTIONS]',
  options: {
    run: { type: 'string', value: 'PATH', help: `where config has rendered (default: ${DEVICE.run})` },
    leds: { type: 'string', value: 'PATH', help: `lamps of the board (default: ${DEVICE.leds})` },
    watchdog: { type: 'string', value: 'PATH', help: `watchdog to feed (default: ${DEVICE.watchdog})` },
    every: { type: 'string', value: 'SECONDS', help: 'from test to test (default: 60)' },
    patience: { type: 'string', value: 'SECONDS', help: 'a relay that fails for longer is reset (default: 180)' },
    once: { type: 'boolean', help: 'test once: exit 0 passed, 1 not' },
  },
  examples: ['ghostpipe-appliance ready', 'ghostpipe-appliance ready --run ./run --once'],
};

export function ready(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const everyMs = (numberOption(args, 'every', 1, 3600) ?? 60) * 1000;
    const patienceMs = (numberOption(args, 'patience', 1, 86_400) ?? 180) * 1000;
    const folder = join(args.text('run') ?? DEVICE.run, RUN.self);
    const { now } = monotonicClock;
    const transfer = new SelfTransfer({
      engine: nativeEngine,
      place: readPlace(folder),
      enrolment: readEnrolment(nativeEngine, folder),
      now,
    });
    const say = (line: string): void => void process.stdout.write(`${line}\n`);
    const manager = new ServiceManager({
      env: process.env,
      now,
      onProblem: ({ detail }) => say(`ghostpipe: ${detail}`),
    });
    const lamp = new Lamp(args.text('leds') ?? DEVICE.leds);
    const watchdog = new Watchdog(args.text('watchdog') ?? DEVICE.watchdog);
    const keeper = new Keeper({ manager, lamp, watchdog, say, now, patienceMs });
    const stop = listenForStop();
    const ticking = setInterval(() => keeper.tick(), TICK_MS);
    keeper.tick();
    try {
      for (;;) {
        const verdict = await transfer.test();
        keeper.judge(verdict);
        if (args.flag('once')) return verdict.state === 'passed' ? EXIT.ok : EXIT.failed;
        const waitMs = verdict.state === 'passed' ? everyMs : RETRY_MS;
        await sleep(waitMs, undefined, { signal: stop.asked }).catch(() => {});
        if (stop.asked.aborted) return EXIT.ok;
      }
    } finally {
      clearInterval(ticking);
      lamp.close();
      stop.dispose();
      await manager.close();
    }
  });
}
