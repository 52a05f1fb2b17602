/**
 * The whole proof: the plant runs while its wires are watched, the naive sender runs over the same wire, and what was
 * captured is judged. Nothing here says whether it is good enough; that is `verdict.ts`.
 */
import { randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Running } from '../fixtures/clients.ts';
import type { Ending } from '../fixtures/relay-process.ts';
import { analyse, type CaptureFinding, type CaptureInput, draw } from './analysis.ts';
import { Capture, HEADS_ONLY, readRecords, writePackets } from './capture.ts';
import {
  type Head,
  type Invariants,
  invariantsOf,
  laneExchanges,
  type Span,
  treeGrowthVariance,
} from './invariants.ts';
import { BLOCK_BYTES, type DeviceName, UniformPlant } from './plant.ts';
import { KINDS, SCENE_SLOTS, type Scene, Theatre, WATCHED_SLOTS } from './scenes.ts';

/** The captures that are judged, and whose wire each is of. */
export const WATCHED = { uplink: 'plc', downlink: 'valve', receiver: 'historian' } as const;
type WatchedName = keyof typeof WATCHED;
const NAMES = Object.keys(WATCHED) as WatchedName[];

export const INTERVAL_MS = 200;
/** Watched slots of a standard run: each scene often enough for `WHOLE_SLOTS`. */
export const STANDARD_SLOTS = 400;
/** False alarms over all captures together. */
const ALPHA = 0.001;
/** Slots of each kind of scene in the captures of whole packets. */
export const WHOLE_SLOTS = 50;
const WHOLE_ROUNDS = Math.ceil(WHOLE_SLOTS / SCENE_SLOTS);
const NAIVE_PAIRS = 28;
const NAIVE_INTERVAL_MS = 350;
/** Where the count of a slot begins, in intervals before it opens: clocks of watcher and device differ a little. */
const EARLY = 0.1;
const HEADS_EVERY_MS = 300_000;

export interface ProofOptions {
  /** An existing folder, in which captures and pictures stay. */
  readonly directory: string;
  readonly intervalMs: number;
  /** Times that each kind of scene has a pair. */
  readonly rounds: number;
  readonly say: (progress: string) => void;
}

export interface Proof {
  readonly findings: readonly CaptureFinding[];
  readonly control: CaptureFinding;
  readonly invariants: Readonly<Record<WatchedName, Invariants>>;
  readonly treeGrowthVariance: number | null;
  readonly heads: readonly Head[];
}

/** Rounds that have at least so many watched slots in each capture, also in one that leaves a kind out. */
export function roundsFor(slots: number): number {
  return Math.ceil(slots / ((KINDS.length - 1) * 2 * WATCHED_SLOTS));
}

export async function prove(ending: Ending, options: ProofOptions): Promise<Proof> {
  const { directory, intervalMs, say } = options;
  const plant = new UniformPlant(ending, directory, intervalMs);
  await plant.startRelay();
  const stage = await openStage(ending, plant);
  const played = await playAll(plant, stage, options);
  say('the naive sender');
  const naive = await runNaive(ending, plant, directory);
  const heads = union(played.heads, await plant.heads());
  await end(stage.historian);

  say('reading the captures');
  const { invariants, inputs } = await readAll(plant, stage);
  say('what can be told from them');
  const [control, ...findings] = await analyse(directory, [naive, ...inputs], ALPHA / NAMES.length);
  await draw(directory, { without: naive, withIt: inputs });
  return { findings, control: control!, invariants, treeGrowthVariance: treeGrowthVariance(heads), heads };
}

/** Invariants of the whole packets, and what the statistics read of the heads. */
async function readAll(plant: UniformPlant, { theatre, whole, heads, gridMs }: Stage) {
  const { intervalMs } = plant;
  const except: Readonly<Record<WatchedName, readonly Span[]>> = {
    uplink: theatre.outages,
    downlink: [],
    receiver: theatre.absences,
  };
  const invariants = {} as Record<WatchedName, Invariants>;
  const inputs = await Promise.all(
    NAMES.map(async (name): Promise<CaptureInput> => {
      const { address, keyLog } = plant.stations[WATCHED[name]];
      const packets = plant.path(`${name}.tsv`);
      const [rows] = await Promise.all([
        readRecords(whole[name].file, keyLog),
        writePackets(heads[name].file, packets),
      ]);
      const grid = { openMs: gridMs[name] - intervalMs * EARLY, intervalMs };
      invariants[name] = invariantsOf(laneExchanges(rows, address, BLOCK_BYTES), grid, except[name]);
      const scenes = scenesFor(name, theatre.scenes);
      return { name, packets, device: address, intervalMs, gridMs: gridMs[name], scenes };
    }),
  );
  return { invariants, inputs };
}

type ByName<T> = Readonly<Record<WatchedName, T>>;

interface Stage {
  readonly theatre: Theatre;
  readonly historian: Running;
  readonly others: readonly Running[];
  readonly whole: ByName<Capture>;
  readonly heads: ByName<Capture>;
  readonly gridMs: ByName<number>;
}

/** Watches the wires, then starts the devices: a capture without its handshakes cannot be decrypted. */
async function openStage(ending: Ending, plant: UniformPlant): Promise<Stage> {
  const byName = <T>(make: (name: WatchedName, device: DeviceName) => T) =>
    Object.fromEntries(NAMES.map((name) => [name, make(name, WATCHED[name])])) as Record<WatchedName, T>;
  const watch = (bytes?: number) =>
    byName((name, device) => {
      const file = plant.path(`${name}${bytes === undefined ? '.whole' : ''}.pcapng`);
      return new Capture(ending, plant.stations[device].wire.middle, file, bytes);
    });
  const [whole, heads] = [watch(), watch(HEADS_ONLY)];
  for (const capture of [...Object.values(whole), ...Object.values(heads)]) await capture.listens();
  const [historian, valve] = [plant.receiver('historian'), plant.receiver('valve')];
  const [plc, planner] = [plant.sender('plc'), plant.sender('planner')];
  const theatre = new Theatre(plant, { plc, planner, historian }, () => randomInt(2) === 1);
  const gridMs = byName((_, device) => plant.gridMs(device));
  return { theatre, historian, others: [plc, planner, valve], whole, heads, gridMs };
}

/** Every kind of scene once a round, in an order by chance; the historian goes on alone after it. */
async function playAll(plant: UniformPlant, stage: Stage, { rounds, intervalMs, say }: ProofOptions) {
  await sleep(Math.max(5000, 20 * intervalMs)); // until everybody knows everybody
  let heads = await plant.heads();
  let readMs = performance.now();
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    for (const [at, kind] of shuffled(KINDS).entries()) {
      await stage.theatre.playPair(round * KINDS.length + at, kind);
      if (performance.now() - readMs < HEADS_EVERY_MS) continue;
      heads = union(heads, await plant.heads());
      readMs = performance.now();
    }
    if (round + 1 === WHOLE_ROUNDS) for (const capture of Object.values(stage.whole)) await capture.stop();
  }
  for (const capture of [...Object.values(stage.whole), ...Object.values(stage.heads)]) await capture.stop();
  for (const each of stage.others) await end(each);
  return { heads };
}

/** The naive sender over the wire of the plc, with its identity. */
async function runNaive(ending: Ending, plant: UniformPlant, directory: string): Promise<CaptureInput> {
  const { wire, address } = plant.stations.plc;
  const capture = new Capture(ending, wire.middle, join(directory, 'naive.pcapng'), HEADS_ONLY);
  await capture.listens();
  const folder = plant.path('naive');
  mkdirSync(folder);
  const words = [folder, plant.urlOf('plc'), plant.pin, NAIVE_INTERVAL_MS, NAIVE_PAIRS];
  const naive = plant.script('plc', 'test/uniformity/naive-sender.ts', words.map(String));
  const code = await naive.ended;
  if (code !== 0) throw new Error(`the naive sender ended with ${code}: ${naive.stderr()}`);
  await capture.stop();
  const packets = join(directory, 'naive.tsv');
  await writePackets(capture.file, packets);
  const [grid, ...scenes] = naive
    .stdout()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { name: 'naive', packets, device: address, intervalMs: NAIVE_INTERVAL_MS, gridMs: grid.gridMs, scenes };
}

/** A receiver that stands still is seen to, and not hidden; its own wire is left out of those scenes. */
function scenesFor(name: WatchedName, scenes: readonly Scene[]): readonly Scene[] {
  return name === 'receiver' ? scenes.filter(({ kind }) => kind !== 'receiver-gone') : scenes;
}

async function end({ child, ended }: Running): Promise<void> {
  child.stdin!.end();
  child.kill('SIGTERM');
  await ended;
}

function union(before: readonly Head[], now: readonly Head[]): Head[] {
  const key = ({ origin, size }: Head) => `${size} ${origin}`;
  return [...new Map([...before, ...now].map((head) => [key(head), head])).values()];
}

function shuffled<T>(values: readonly T[]): T[] {
  const rest = [...values];
  return values.map(() => rest.splice(randomInt(rest.length), 1)[0]!);
}
