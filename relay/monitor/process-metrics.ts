/** What the relay's process uses, by the names that monitoring tools know, and how long its event loop was held up. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, type OpenMetricsContentType, type Registry } from 'prom-client';

const RESOLUTION_MS = 20;
/** The delay that is shown is the longest of so many seconds, so that no scrape misses one. */
const WINDOW_SECONDS = 60;

/** Adds the process to `registers`; gives what ends the measuring. */
export function addProcessMetrics(registers: Registry<OpenMetricsContentType>[]): () => void {
  const delay = watchEventLoop();
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Memory of the process that is in RAM.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time that the process took.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: 'ghostpipe_event_loop_delay_seconds',
    help: 'Longest time in the last minute that the event loop was held up.',
    registers,
    collect() {
      this.set(delay.longestSeconds());
    },
  });
  return delay.end;
}

function watchEventLoop(): { longestSeconds(): number; end(): void } {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const longest: number[] = [];
  histogram.enable();
  const timer = setInterval(() => {
    longest.push(histogram.max);
    if (longest.length > WINDOW_SECONDS) longest.shift();
    histogram.reset();
  }, 1000);
  timer.unref();
  return {
    // The histogram counts from the planned moment, its own resolution included.
    longestSeconds: () => Math.max(0, Math.max(histogram.max, ...longest) / 1e9 - RESOLUTION_MS / 1000),
    end() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}
