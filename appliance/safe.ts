/** `safe`: shows why there is no relay, in words on the console and by the lamp, and keeps the machine from being reset. */
import { type CommandSpec, EXIT, runCommand } from '../tools/lib/command.ts';
import { ServiceManager } from '../tools/lib/service-manager.ts';
import { monotonicClock } from '../tools/lib/slot-clock.ts';
import { listenForStop } from '../tools/lib/stop.ts';
import { sentence } from './config.ts';
import { DEVICE } from './layout.ts';
import { Lamp, safePattern } from './leds.ts';
import { readOutcome } from './outcome.ts';
import { Watchdog } from './watchdog.ts';

const TICK_MS = 4000;
/** Who comes to the screen later is told too. */
const AGAIN_TICKS = 15;

const SPEC: CommandSpec = {
  name: 'ghostpipe-appliance safe',
  summary: 'show why the appliance is in the safe state: words on the console, flashes of the lamp',
  usage: '[OPTIONS]',
  options: {
    run: { type: 'string', value: 'PATH', help: `where config has rendered (default: ${DEVICE.run})` },
    leds: { type: 'string', value: 'PATH', help: `lamps of the board (default: ${DEVICE.leds})` },
    watchdog: { type: 'string', value: 'PATH', help: `watchdog to feed (default: ${DEVICE.watchdog})` },
    once: { type: 'boolean', help: 'say it once, and end' },
  },
  examples: ['ghostpipe-appliance safe', 'ghostpipe-appliance safe --run ./run --once'],
};

export function safe(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const outcome = readOutcome(args.text('run') ?? DEVICE.run);
    const say = (): void => void process.stdout.write(`${sentence(outcome)}\n`);
    say();
    if (args.flag('once')) return EXIT.ok;
    const { now } = monotonicClock;
    const manager = new ServiceManager({ env: process.env, now, onProblem: () => {} });
    manager.ready(sentence(outcome));
    const lamp = new Lamp(args.text('leds') ?? DEVICE.leds);
    lamp.show(safePattern(outcome.code ?? 'internal'));
    const watchdog = new Watchdog(args.text('watchdog') ?? DEVICE.watchdog);
    watchdog.feed();
    let ticks = 0;
    const ticking = setInterval(() => {
      watchdog.feed();
      manager.alive();
      if (++ticks % AGAIN_TICKS === 0) say();
    }, TICK_MS);
    const stop = listenForStop();
    await new Promise<void>((resolve) => stop.asked.addEventListener('abort', () => resolve(), { once: true }));
    clearInterval(ticking);
    lamp.close();
    stop.dispose();
    await manager.close();
    return EXIT.ok;
  });
}
