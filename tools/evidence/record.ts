/**
 * Evidence records: what one run of one check saw, of which software and which configuration. The result follows from
 * what was observed; a record whose result does not is refused.
 */
import { canonicalText, parseCanonical } from '../../protocol/canonical.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { check, integer, list, type Of, object, oneOf, type Shape, text } from '../../protocol/shape.ts';
import { version1 } from '../../protocol/shapes.ts';

const RECORD_LIMIT = 65_536;

const name = text('a name', 1, 80);
const words = text('some words', 0, 500);
const hash = text('a SHA-256 in hex', 64, 64, /^[0-9a-f]{64}$/);
const time = text('a UTC time', 24, 24, /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);

const value: Shape<string | number> = (given, path) => {
  if (typeof given === 'number' && Number.isFinite(given)) return given;
  return words(given, path);
};

const observation = object({
  name,
  value,
  /** `is`: value and limit are the same; the others compare numbers. */
  rule: oneOf(['is', 'at-most', 'at-least']),
  limit: value,
  unit: words,
});
/** One thing that was seen, beside what it has to be. */
export type Observation = Of<typeof observation>;

/** What a run is about: a program on somebody's host, or an image for a board. */
export const BOARDS = ['host', 'vm', 'arm64', 'pi3', 'pi4-1nic', 'pi4-2nic'] as const;

export const subjectShape = object({
  /** Version of the software, and SHA-256 over its files. */
  version: name,
  softwareDigest: hash,
  /** SHA-256 of the relay's configuration in its canonical form. */
  configHash: hash,
  board: oneOf(BOARDS),
  /** SHA-256 of the image file; empty for a host. */
  imageDigest: text('a SHA-256 in hex, or nothing', 0, 64, /^([0-9a-f]{64})?$/),
});
/** What evidence is about. */
export type Subject = Of<typeof subjectShape>;

export const RESULTS = ['pass', 'fail', 'error', 'not-run'] as const;

const record = object({
  v: version1,
  check: name,
  /** Hash of the check's entry in the policy. */
  checkHash: text('twelve hexadecimal digits', 12, 12, /^[0-9a-f]{12}$/),
  items: list(name, 1, 100, String),
  subject: subjectShape,
  /** Epoch of the relay that was looked at; empty when none was. */
  bootId: text('an epoch in hex', 0, 32, /^([0-9a-f]{32})?$/),
  environment: oneOf(['host', 'file']),
  startedAt: time,
  endedAt: time,
  timeQuality: oneOf(['none']),
  result: oneOf(RESULTS),
  /** Why there is no result, or nothing. */
  detail: words,
  observed: list(observation, 0, 400),
  sabotage: object({
    tried: list(name, 0, 8, String),
    caught: list(name, 0, 8, String),
  }),
  /** What was read, from the folder of the project. */
  files: list(object({ path: name, sha256: hash, bytes: integer(0, 2 ** 40) }), 0, 64, ({ path }) => path),
});
/** One line of evidence.jsonl. */
export type EvidenceRecord = Of<typeof record>;

/** Whether an observation is as it has to be. */
export function holds({ value: seen, rule, limit }: Observation): boolean {
  if (rule === 'is') return seen === limit;
  if (typeof seen !== 'number' || typeof limit !== 'number') return false;
  return rule === 'at-most' ? seen <= limit : seen >= limit;
}

/** What observations say; to have seen nothing is no pass. */
export function resultOf(observed: readonly Observation[]): 'pass' | 'fail' | 'error' {
  if (observed.length === 0) return 'error';
  return observed.every(holds) ? 'pass' : 'fail';
}

/** The line of a record, without its end. */
export function formatRecord(value: EvidenceRecord): string {
  return canonicalText(check(record, value));
}

/** Parses a line; refuses `evidence-invalid`, also when the result is not what the observations say. */
export function parseRecord(line: string): EvidenceRecord {
  let parsed: EvidenceRecord;
  try {
    parsed = check(record, parseCanonical(Buffer.from(line), RECORD_LIMIT));
  } catch (thrown) {
    throw new Problem('evidence-invalid', asProblem(thrown).detail);
  }
  const { result, observed, check: id, sabotage } = parsed;
  if ((result === 'pass' || result === 'fail') && resultOf(observed) !== result) {
    throw new Problem(
      'evidence-invalid',
      `${id} is typed in as "${result}", its observations say "${resultOf(observed)}"`,
    );
  }
  if (sabotage.caught.some((each) => !sabotage.tried.includes(each))) {
    throw new Problem('evidence-invalid', `${id} is said to have caught a sabotage that was not tried`);
  }
  return parsed;
}
