/**
 * What happens in the plant while its wires are watched: pairs of scenes of the same length, one eventful and one quiet,
 * and a coin says which comes first. So a label is chance, and whatever else the machine does cannot follow it: the test
 * that swaps labels within pairs is exact.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Running } from '../fixtures/clients.ts';
import type { Span } from './invariants.ts';
import { BLOCK_BYTES, type DeviceName, type UniformPlant } from './plant.ts';

export const KINDS = ['sensor', 'alarm', 'outage', 'receiver-gone', 'files-up', 'files-down'] as const;
export type Kind = (typeof KINDS)[number];

/** Slots in which the scene before may still show, and those that are watched. */
const GUARD_SLOTS = 2;
export const WATCHED_SLOTS = 5;
export const SCENE_SLOTS = GUARD_SLOTS + WATCHED_SLOTS;
const OUTAGE_SLOTS = 4;
/** After an outage TCP finds out by itself, in steps that double. */
const MENDING_SLOTS = 6;
const ALARM_READINGS = 300;
/** A firmware file takes as many blocks as a scene has slots for, or nearly. */
const FIRMWARE_BYTES = 4 * BLOCK_BYTES;

/** One scene as it was. */
export interface Scene extends Span {
  readonly pair: number;
  readonly kind: Kind;
  readonly isEvent: boolean;
}

export interface Actors {
  readonly plc: Running;
  readonly planner: Running;
  readonly historian: Running;
}

/** Plays scenes and remembers when. */
export class Theatre {
  readonly scenes: Scene[] = [];
  /** When the wire of the plc did not carry, or had not found out yet that it does. */
  readonly outages: Span[] = [];
  /** When the historian stood still. */
  readonly absences: Span[] = [];
  readonly #plant: UniformPlant;
  readonly #actors: Actors;
  readonly #coin: () => boolean;
  #made = 0;

  constructor(plant: UniformPlant, actors: Actors, coin: () => boolean) {
    this.#plant = plant;
    this.#actors = actors;
    this.#coin = coin;
  }

  /** Plays one pair of scenes; outages are in both, with something to catch up with in the eventful one. */
  async playPair(pair: number, kind: Kind): Promise<void> {
    const first = this.#coin();
    for (const isEvent of [first, !first]) {
      if (kind === 'outage') await this.#outage(isEvent);
      const fromMs = Date.now();
      await this.#play(isEvent ? kind : 'nothing');
      const at = (slots: number) => fromMs + slots * this.#plant.intervalMs;
      this.scenes.push({ pair, kind, isEvent, fromMs: at(GUARD_SLOTS), toMs: at(SCENE_SLOTS) });
    }
  }

  /** What happens in the time of one scene. After an outage nothing new does: what waits is caught up with. */
  async #play(kind: Kind | 'nothing'): Promise<void> {
    const { intervalMs } = this.#plant;
    const endMs = performance.now() + SCENE_SLOTS * intervalMs;
    const isOver = () => performance.now() >= endMs - intervalMs / 2;
    if (kind === 'files-up') this.#file('plc');
    if (kind === 'files-down') this.#file('planner');
    if (kind === 'sensor' || kind === 'alarm') {
      for (; !isOver(); await sleep(intervalMs)) this.#read(kind === 'alarm' ? ALARM_READINGS : 1);
    }
    if (kind === 'receiver-gone') await this.#absence(SCENE_SLOTS * intervalMs);
    await sleep(Math.max(0, endMs - performance.now()));
  }

  /** A wire that carries nothing for a while. */
  async #outage(isEvent: boolean): Promise<void> {
    const { intervalMs, stations } = this.#plant;
    const fromMs = Date.now();
    stations.plc.wire.cut('silently');
    for (let slot = 0; slot < OUTAGE_SLOTS; slot++) {
      if (isEvent) this.#read(10 * ALARM_READINGS);
      await sleep(intervalMs);
    }
    stations.plc.wire.mend();
    await sleep(MENDING_SLOTS * intervalMs);
    this.outages.push({ fromMs, toMs: Date.now() });
  }

  /** The host of the historian stands still. */
  async #absence(ms: number): Promise<void> {
    const { child } = this.#actors.historian;
    const fromMs = Date.now();
    child.kill('SIGSTOP');
    await sleep(ms);
    child.kill('SIGCONT');
    this.absences.push({ fromMs, toMs: Date.now() + 2 * this.#plant.intervalMs });
  }

  #read(count: number): void {
    const lines = Array.from({ length: count }, () => `pressure ${this.#made++} ${Math.sin(this.#made)}\n`);
    this.#actors.plc.child.stdin!.write(lines.join(''));
  }

  #file(from: DeviceName): void {
    const file = this.#plant.path('outgoing', from, `firmware-${this.#made++}.bin`);
    writeFileSync(file, randomBytes(FIRMWARE_BYTES));
  }
}
