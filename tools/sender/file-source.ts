/** Files to be sent, one after the other: each is hashed once and stays where it is until its chunks are packed. */
import type { Engine } from '../../protocol/engine/engine.ts';
import { asProblem, type Problem } from '../../protocol/problem.ts';
import type { Clock } from '../lib/slot-clock.ts';
import type { Admission } from './admission.ts';
import { measure, stateOf } from './file-state.ts';
import type { OpenFiles } from './open-files.ts';
import { nameIn, wireName } from './put-aside.ts';
import type { After } from './spool-entry.ts';

/** Files that are on their way at a time: more wait where they are. */
export const MAX_OPEN_FILES = 16;
const WAIT_MS = 200;

export interface FileSourceOptions {
  readonly engine: Engine;
  readonly admission: Admission;
  readonly files: OpenFiles;
  /** Bytes that a block has for a chunk and its name. */
  readonly room: number;
  /** What becomes of a file that was delivered. */
  readonly after: After;
  readonly clock: Clock;
  readonly onProblem: (problem: Problem) => void;
}

/** Takes the file at `path` in. Refuses `file-not-sent`, and `spool-full` and `spool-failed` when it must wait. */
export async function takeFile(path: Uint8Array, options: FileSourceOptions, signal: AbortSignal): Promise<void> {
  const name = wireName(nameIn(path));
  const chunkBytes = options.room - 2 - Buffer.byteLength(name);
  const measured = await measure(path, signal);
  options.admission.addFile({
    kind: 'file',
    groupId: options.engine.random(16),
    count: Math.max(1, Math.ceil(measured.size / chunkBytes)),
    chunkBytes,
    ...measured,
    after: options.after,
    name,
    path,
  });
}

/**
 * Takes in each file of `paths`, as room comes. One that is on its way since an earlier start goes on. Gives how many
 * could not be taken.
 */
export async function takeFiles(
  paths: readonly Uint8Array[],
  options: FileSourceOptions,
  signal: AbortSignal,
): Promise<number> {
  const { files, clock, onProblem } = options;
  let failed = 0;
  const left = [...paths];
  while (left.length > 0 && !signal.aborted) {
    const path = left[0]!;
    if (files.all.length >= MAX_OPEN_FILES) {
      await clock.sleep(WAIT_MS, signal);
      continue;
    }
    try {
      const state = stateOf(path);
      if (!state || !files.has(path, state)) await takeFile(path, options, signal);
    } catch (thrown) {
      const problem = asProblem(thrown);
      onProblem(problem);
      if (problem.code === 'spool-full' || problem.code === 'spool-failed') {
        await clock.sleep(WAIT_MS, signal);
        continue;
      }
      failed += 1;
    }
    left.shift();
  }
  return failed;
}
