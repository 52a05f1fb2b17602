/** The state of the audit log as gauges and counters; all are 0 while the relay serves no site. */
import { Counter, Gauge, type OpenMetricsContentType, type Registry } from 'prom-client';
import type { LogState } from '../log/log-state.ts';

interface Figure {
  readonly name: string;
  readonly help: string;
  readonly of: (state: LogState) => number;
}

const LEVELS: readonly Figure[] = [
  {
    name: 'ghostpipe_log_head_age_seconds',
    help: 'Time since a head of the audit log was signed; one is due each 30 seconds.',
    of: ({ headAgeMs }) => headAgeMs / 1000,
  },
  { name: 'ghostpipe_log_records', help: 'Records of the epochs that are kept.', of: ({ records }) => records },
  { name: 'ghostpipe_log_epochs', help: 'Epochs of the audit log that are kept.', of: ({ epochs }) => epochs },
  { name: 'ghostpipe_log_bytes', help: 'Memory that the audit log and its journals take.', of: ({ bytes }) => bytes },
  {
    name: 'ghostpipe_log_limit_bytes',
    help: 'Memory beyond which the audit log drops its oldest epochs.',
    of: ({ limitBytes }) => limitBytes,
  },
  {
    name: 'ghostpipe_log_unwritten_records',
    help: 'Records that the journal of the audit log should have and does not.',
    of: ({ unwritten }) => unwritten,
  },
  {
    name: 'ghostpipe_log_unarchived_records',
    help: 'Records of the audit log that are not on its stick.',
    of: ({ unarchived }) => unarchived,
  },
  {
    name: 'ghostpipe_log_full',
    help: '1 when transfers are refused, since their records would wait for too long, else 0.',
    of: ({ isFull }) => Number(isFull),
  },
];

const EVENTS: readonly Figure[] = [
  {
    name: 'ghostpipe_log_faults_total',
    help: 'Epochs that ended since a head of them was not signed, or wrongly.',
    of: ({ faults }) => faults,
  },
  {
    name: 'ghostpipe_log_receipts_failed_total',
    help: 'Log receipts that were not signed when they were asked for.',
    of: ({ receiptsFailed }) => receiptsFailed,
  },
  {
    name: 'ghostpipe_log_receipts_lost_total',
    help: 'Log receipts that never will be signed.',
    of: ({ receiptsLost }) => receiptsLost,
  },
];

/** Adds the figures to `registers`; `state` is asked at each exposition. */
export function addLogMetrics(registers: Registry<OpenMetricsContentType>[], state: () => LogState | null): void {
  const figureOf = ({ of }: Figure): number => {
    const now = state();
    return now ? of(now) : 0;
  };
  for (const level of LEVELS) {
    const { name, help } = level;
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(figureOf(level));
      },
    });
  }
  new Gauge({
    name: 'ghostpipe_log_mode',
    help: 'Always 1: what the audit log promises now.',
    labelNames: ['mode'],
    registers,
    collect() {
      this.reset();
      const mode = state()?.mode;
      if (mode) this.set({ mode }, 1);
    },
  });
  for (const event of EVENTS) {
    const { name, help } = event;
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(figureOf(event));
      },
    });
  }
}
