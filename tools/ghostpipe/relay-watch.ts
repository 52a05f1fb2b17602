/** What the demo asks its relay: how many blocks passed, and how many it holds now. */
import type { RelayClient } from '../lib/relay-client.ts';

export interface RelayNumbers {
  /** Blocks accepted from senders. */
  readonly blocks: number;
  /** Claims answered by a cover. */
  readonly covers: number;
  /** Blocks whose bytes were destroyed. */
  readonly burned: number;
  /** Slots in use now. */
  readonly held: number;
}

export const NO_NUMBERS: RelayNumbers = { blocks: 0, covers: 0, burned: 0, held: 0 };

/** The numbers of this moment. */
export async function askRelay(monitor: RelayClient): Promise<RelayNumbers> {
  return parseNumbers(await monitor.metrics());
}

/** The numbers in an OpenMetrics text; a series that is not there yet counts as 0. */
export function parseNumbers(metrics: string): RelayNumbers {
  return {
    blocks: sumOf(metrics, 'ghostpipe_transfer_events_total', 'event="accepted"'),
    covers: sumOf(metrics, 'ghostpipe_covers_total'),
    burned: sumOf(metrics, 'ghostpipe_blocks_burned_total'),
    held: sumOf(metrics, 'ghostpipe_slots', 'state="used"'),
  };
}

/** Sum of all samples of `name` whose labels contain `label`. */
function sumOf(metrics: string, name: string, label = ''): number {
  return metrics
    .split('\n')
    .map((line) => /^([a-z_]+)(\{[^}]*\})? (\S+)/.exec(line))
    .filter((sample) => sample?.[1] === name && (sample[2] ?? '').includes(label))
    .reduce((sum, sample) => sum + Number(sample![3]), 0);
}
