/**
 * The demo's inspection: is anything readable in the memory of the relay while it holds blocks?
 *
 * The receiver is held still meanwhile, so that blocks stay in the relay; the relay itself runs as ever. The same
 * search must find the canary in the sender, or it proves nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { searchMemory } from '../lib/memory-search.ts';
import { keyNeedles, type Needle, textNeedles } from '../lib/needles.ts';

const WAIT_STEP_MS = 200;

export interface Inspected {
  /** Needles found in the relay; null when its memory was not searched. */
  readonly seen: readonly string[] | null;
  /** Whether the canary was found in the sender; null when its memory was not searched. */
  readonly control: boolean | null;
}

export interface InspectionOptions {
  readonly relayPid: number;
  readonly senderPid: number;
  readonly canary: string;
  /** Secrets of this moment that the relay must not have: content keys, seeds of devices. */
  secrets(): readonly Uint8Array[];
  /** Blocks that the relay holds now. */
  held(): Promise<number>;
  /** How long to wait for the relay to hold a block. */
  readonly patienceMs: number;
}

/** Searches both processes at a moment when the relay holds at least one block. */
export async function inspect(options: InspectionOptions): Promise<Inspected> {
  const { relayPid, senderPid, canary } = options;
  if (!(await holdsBlocks(options))) return { seen: null, control: null };
  const inSender = await searchMemory(senderPid, textNeedles('canary', canary));
  const seen = await searchMemory(relayPid, needlesOf(options));
  return { seen, control: inSender?.includes('canary plain') ?? null };
}

/** All inspections as one: what any of them saw counts, and one that could not search cannot vouch for the others. */
export function combine(inspections: readonly Inspected[]): { seen: number | null; control: boolean | null } {
  const seen = inspections.flatMap((one) => one.seen ?? []);
  const searched = inspections.length > 0 && inspections.every((one) => one.seen !== null);
  const controls = inspections.map((one) => one.control);
  return {
    seen: searched || seen.length > 0 ? new Set(seen).size : null,
    control: controls.length === 0 || controls.includes(null) ? null : controls.every((one) => one === true),
  };
}

function needlesOf({ canary, secrets }: InspectionOptions): Needle[] {
  return [...textNeedles('canary', canary), ...secrets().flatMap((secret, i) => keyNeedles(`secret ${i}`, secret))];
}

async function holdsBlocks({ held, patienceMs }: InspectionOptions): Promise<boolean> {
  for (let waited = 0; waited <= patienceMs; waited += WAIT_STEP_MS) {
    if ((await held()) > 0) return true;
    await sleep(WAIT_STEP_MS);
  }
  return false;
}
