/** The statistics of captures: what `analyse.py` makes of them, and the pictures of `draw.py`. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Scene } from './scenes.ts';

/** The one that Debian's packages are for; another may come first on the path. */
export const PYTHON = '/usr/bin/python3';
const MOST_OUTPUT_BYTES = 4_194_304;
const run = promisify(execFile);

/** One capture as the scripts read it. */
export interface CaptureInput {
  readonly name: string;
  /** What `writePackets` wrote. */
  readonly packets: string;
  /** Address of the device whose wire it is. */
  readonly device: string;
  readonly intervalMs: number;
  /** When one of its slots opened. */
  readonly gridMs: number;
  readonly scenes: readonly Omit<Scene, 'kind'>[];
}

/** A timing, eventful minus quiet over pairs of scenes, with its interval (ms); null when there are too few pairs. */
export interface PairedTiming {
  readonly what: string;
  readonly pairs: number;
  readonly medianMs: number | null;
  readonly lowMs: number | null;
  readonly highMs: number | null;
}

export interface CaptureFinding {
  readonly name: string;
  readonly slots: number;
  /** Those that the forest was asked about, and their pairs of scenes. */
  readonly asked: number;
  readonly pairsAsked: number;
  readonly auc: number;
  /** What chance stays below, but for the asked share of false alarms. */
  readonly aucBound: number;
  readonly miBits: number;
  readonly miBound: number;
  readonly paired: readonly PairedTiming[];
}

/** Judges each capture, with a chance of `alpha` that one in which nothing can be told is above its bound. */
export async function analyse(folder: string, captures: readonly CaptureInput[], alpha: number) {
  const file = join(folder, 'analysis.json');
  writeFileSync(file, JSON.stringify({ alpha, seed: 1, captures }));
  const { captures: findings } = JSON.parse(await script('analyse.py', [file])) as {
    readonly captures: readonly CaptureFinding[];
  };
  return findings;
}

/** What `draw.py` draws: the wire without Ghost Pipe, and with it. */
export interface Drawing {
  readonly without: CaptureInput;
  readonly withIt: readonly CaptureInput[];
}

/** Draws `wire.svg` and `wire.png` into `folder`. */
export async function draw(folder: string, drawing: Drawing): Promise<void> {
  const file = join(folder, 'drawing.json');
  writeFileSync(file, JSON.stringify(drawing));
  await script('draw.py', [file, folder]);
}

async function script(name: string, words: readonly string[]): Promise<string> {
  const { stdout } = await run(PYTHON, ['-B', join(import.meta.dirname, name), ...words], {
    maxBuffer: MOST_OUTPUT_BYTES,
  });
  return stdout;
}
