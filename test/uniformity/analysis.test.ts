/** The statistics of the proof on captures that were made: what can be told is told, and chance is called chance. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { analyse, type CaptureInput, draw } from './analysis.ts';

const DEVICE = '10.85.1.2';
const INTERVAL_MS = 250;
const GRID_MS = 1_800_000_000_000;
const SCENE_SLOTS = 5;
const PAIRS = 60;
/** Of one capture. */
const ALPHA = 1e-3;

t.setTimeout(150_000);

/** What an eventful slot does that a quiet one does not. */
interface Leak {
  readonly lateMs?: number;
  readonly bytes?: number;
}

/** Chance that is the same in each run. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

/** Packets of a sender: ten up within 30 ms and one down, each late by up to half a millisecond. */
function capture(t: Test, name: string, leak: Leak, seed = 1): CaptureInput {
  const random = chance(seed);
  const lines: string[] = [];
  const scenes: CaptureInput['scenes'][number][] = [];
  for (let at = 0; at < 2 * PAIRS; at += 2) {
    const first = random() < 0.5;
    for (const [scene, isEvent] of [first, !first].entries()) {
      const slot = (at + scene) * SCENE_SLOTS;
      const fromMs = GRID_MS + slot * INTERVAL_MS - 20;
      scenes.push({ pair: at / 2, isEvent, fromMs, toMs: fromMs + SCENE_SLOTS * INTERVAL_MS });
      for (let i = slot; i < slot + SCENE_SLOTS; i++) {
        const opensMs = GRID_MS + i * INTERVAL_MS + (isEvent ? (leak.lateMs ?? 0) : 0);
        const packet = (ms: number, source: string, bytes: number) =>
          lines.push(`${((opensMs + ms + random() / 2) / 1000).toFixed(7)}\t${source}\t${bytes}`);
        for (let each = 0; each < 10; each++) {
          packet(3 * each, DEVICE, 1448 + (isEvent && each === 9 ? (leak.bytes ?? 0) : 0));
        }
        packet(60, '10.85.1.1', 900);
      }
    }
  }
  const packets = join(t.testdirName, `${name}.tsv`);
  writeFileSync(packets, `${lines.join('\n')}\n`);
  return { name, packets, device: DEVICE, intervalMs: INTERVAL_MS, gridMs: GRID_MS, scenes };
}

t.test('what differs is told, chance is not', async (t) => {
  const folder = t.testdir();
  const made = [
    capture(t, 'uplink', {}),
    capture(t, 'downlink', { lateMs: 3 }),
    capture(t, 'receiver', { bytes: 1 }),
    capture(t, 'naive', { lateMs: 40 }),
  ];
  const [nothing, late, longer, naive] = await analyse(folder, made, ALPHA);
  t.ok(nothing!.auc < nothing!.aucBound, `nothing: ${nothing!.auc} of ${nothing!.aucBound}`);
  t.ok(nothing!.aucBound < 0.7 && nothing!.miBits < nothing!.miBound);
  for (const found of [late, longer, naive]) {
    t.ok(found!.auc > 0.99 && found!.auc > found!.aucBound, `${found!.name}: ${found!.auc} of ${found!.aucBound}`);
    t.ok(found!.miBits > 0.9 && found!.miBits > found!.miBound, `${found!.miBits} bits`);
  }
  t.match(nothing, { slots: 2 * PAIRS * SCENE_SLOTS, asked: PAIRS * SCENE_SLOTS, pairsAsked: PAIRS / 2 });
  const [first] = late!.paired;
  t.ok(first!.lowMs! > 2.5 && first!.highMs! < 3.5, `first packet: ${first!.lowMs} to ${first!.highMs} ms`);
  const [still] = nothing!.paired;
  t.ok(still!.lowMs! < 0 && still!.highMs! > 0 && Math.abs(still!.medianMs!) < 0.25);

  await draw(folder, { without: made[3]!, withIt: made.slice(0, 3) });
  t.pass('a picture is drawn');
});

t.test('false alarms are as rare as was asked for', async (t) => {
  const folder = t.testdir();
  const captures = Array.from({ length: 5 }, (_, seed) => capture(t, `uplink-${seed}`, {}, seed + 2));
  const findings = await analyse(folder, captures, ALPHA);
  const alarms = findings.filter(({ auc, aucBound }) => auc >= aucBound);
  t.same(alarms, [], 'none of five');
});
