/** What a boot found: the file by which the programs of the appliance know what `config` decided. */
import { join } from 'node:path';
import { parseJson } from '../protocol/canonical.ts';
import { Problem } from '../protocol/problem.ts';
import { check, integer, type Of, object, oneOf, text } from '../protocol/shape.ts';
import { bytesText, nameText, version1 } from '../protocol/shapes.ts';
import { readFileBounded, writeFileAtomic } from '../tools/lib/files.ts';
import { RUN } from './layout.ts';

const LIMIT = 16_384;

const outcomeFile = object(
  { v: version1, state: oneOf(['configured', 'safe']) },
  {
    /** Why it is safe: code, sentence, and what to do. */
    code: text('a problem code', 1, 64),
    fact: text('a sentence', 1, 4096),
    mend: text('a sentence', 1, 4096),
    /** Of the configuration, if one was verified. */
    notice: text('a notice', 1, 500),
    siteName: nameText,
    configVersion: integer(1, 0xffff_ffff),
    configHash: bytesText(32),
    rosterVersion: integer(1, 0xffff_ffff),
  },
);
export type Outcome = Of<typeof outcomeFile>;

/** Writes the outcome below `run`, then the marker that lets units start. */
export function writeOutcome(run: string, outcome: Outcome): void {
  writeFileAtomic(join(run, RUN.outcome), `${JSON.stringify(check(outcomeFile, outcome))}\n`, 0o644);
  writeFileAtomic(join(run, outcome.state === 'configured' ? RUN.configured : RUN.safe), '', 0o644);
}

/** Reads the outcome below `run`; refuses `config-missing` and `file-invalid`. */
export function readOutcome(run: string): Outcome {
  const path = join(run, RUN.outcome);
  const bytes = readFileBounded(path, LIMIT);
  if (!bytes) throw new Problem('config-missing', `${path} does not exist: ghostpipe-config.service did not run`);
  try {
    return check(outcomeFile, parseJson(bytes, LIMIT));
  } catch (thrown) {
    throw new Problem('file-invalid', `${path}: ${(thrown as Error).message}`);
  }
}
