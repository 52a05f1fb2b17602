/** What a sender remembers over a restart: the run that it used last on a stream. */
import { join } from 'node:path';
import { canonicalText, parseJson } from '../../protocol/canonical.ts';
import { Problem } from '../../protocol/problem.ts';
import { check, object, text } from '../../protocol/shape.ts';
import { version1 } from '../../protocol/shapes.ts';
import { encodeRun, NO_RUN, runStartedMs } from '../../protocol/stream.ts';
import { fromHex, toHex } from '../../protocol/text.ts';
import { readFileBounded, writeFileAtomic } from '../lib/files.ts';

const runText = text('32 hexadecimal digits', 32, 32, /^[0-9a-f]*$/);
const runFile = object({ v: version1, run: runText });

/** The run of this start and the one before it. */
export interface Run {
  readonly run: Uint8Array;
  readonly previousRun: Uint8Array;
}

/**
 * Begins a new run of a stream and remembers it before anything is sent. Its number is above the last one's even
 * when the wall clock went back.
 */
export function beginRun(state: string, stream: Uint8Array, wallMs: number, random: Uint8Array): Run {
  const path = join(state, 'sender', `${toHex(stream)}.json`);
  const previousRun = readRun(path);
  const run = encodeRun(Math.max(wallMs, runStartedMs(previousRun) + 1), random);
  writeFileAtomic(path, canonicalText({ v: 1, run: toHex(run) }));
  return { run, previousRun };
}

function readRun(path: string): Uint8Array {
  const bytes = readFileBounded(path, 1024);
  if (!bytes) return NO_RUN;
  try {
    return fromHex(check(runFile, parseJson(bytes, 1024)).run, 16);
  } catch {
    throw new Problem('file-invalid', `${path} does not hold the last run; remove it to begin without memory`);
  }
}
