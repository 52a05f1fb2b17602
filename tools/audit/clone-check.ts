/**
 * Finds a relay that ran twice. A log that knows of none before it is nothing wrong: after a power cut without a stick the
 * next one begins anew. Two that went on at the same time are: somebody has a copy of the relay's identity.
 */
import type { Findings } from './findings.ts';
import { pathIn, type SignedEpoch } from './signed-epoch.ts';

/** How far the time of an epoch may be ahead of the clock that the next one begins with. */
const AHEAD_MS = 10_000;
/** Clocks that say nothing of the order in which epochs were. */
const UNKNOWN_TIME: ReadonlySet<string> = new Set(['none', 'build']);

interface Span {
  readonly epoch: SignedEpoch;
  /** Origin that its chain begins with, as far as it is known here. */
  readonly chain: string;
  readonly endMs: number;
}

/** Checks epochs of one log key: no two of which neither leads to the other may overlap in time. */
export function checkClones(epochs: readonly SignedEpoch[], findings: Findings): void {
  const anew = epochs.filter(({ event: { obj } }) => obj.prev.source === 'none').length;
  if (anew > 1)
    findings.note(`${anew} epochs know of none before them: what was between them and others is not proved`);
  // Of those so far the two that went on longest, of different chains: whoever overlaps with any overlaps with one of them.
  let longest: Span[] = [];
  for (const span of spansOf(epochs)) {
    const { epoch, chain } = span;
    const rival = longest.find((each) => each.chain !== chain && each.endMs - AHEAD_MS > epoch.event.t);
    if (rival) {
      const until = new Date(rival.endMs).toISOString();
      const began = new Date(epoch.event.t).toISOString();
      const detail = `one identity had two logs at a time: ${epoch.origin} began at ${began}, ${rival.epoch.origin} went on until ${until}, and neither leads to the other`;
      findings.add('log-forked', pathIn(epoch.place, { kind: 'statement' }), detail);
    }
    const ordered = [...longest, span].sort((a, b) => b.endMs - a.endMs);
    longest = ordered.filter((each, i) => ordered.findIndex((other) => other.chain === each.chain) === i).slice(0, 2);
  }
}

/** Epochs with a head and a clock, in the order in which they began. */
function spansOf(epochs: readonly SignedEpoch[]): Span[] {
  const byOrigin = new Map(epochs.map((epoch) => [epoch.origin, epoch]));
  const chains = new Map<string, string>();
  const chainOf = (epoch: SignedEpoch): string => {
    const passed = new Set<string>();
    let at = epoch.origin;
    while (!chains.has(at) && !passed.has(at)) {
      passed.add(at);
      const prev = byOrigin.get(at)?.event.obj.prev;
      if (!prev || prev.source === 'none') break;
      at = prev.origin;
    }
    const chain = chains.get(at) ?? at;
    for (const origin of passed) chains.set(origin, chain);
    return chain;
  };
  return epochs
    .filter(({ event, heads }) => heads.length > 0 && !UNKNOWN_TIME.has(event.tq))
    .map((epoch) => ({ epoch, chain: chainOf(epoch), endMs: epoch.heads.at(-1)!.seconds * 1000 }))
    .sort((a, b) => a.epoch.event.t - b.epoch.event.t);
}
