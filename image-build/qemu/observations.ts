/**
 * What the tests of an image saw, as files in dist/evidence/: an evidence record a line, less what the evidence tool adds
 * (check, items, result, sabotage).
 */
import { join } from 'node:path';
import { writeFileAtomic } from '../../tools/lib/files.ts';

export interface Observation {
  readonly name: string;
  readonly value: string | number;
  /** `is`: value and limit are the same; the others compare numbers. */
  readonly rule: 'is' | 'at-most' | 'at-least';
  readonly limit: string | number;
  readonly unit: string;
}

export interface Look {
  /** Version of the image, and SHA-256 of its file as it was built. */
  readonly version: string;
  readonly softwareDigest: string;
  /** SHA-256 of the configuration on the card; of nothing, when there is none. */
  readonly configHash: string;
  readonly board: string;
  /** `file`: the image was read; `qemu`: it was booted. */
  readonly environment: 'file' | 'qemu';
  readonly startedMs: number;
  readonly endedMs: number;
  readonly observed: readonly Observation[];
}

/** Replaces `<project>/dist/evidence/<name>.jsonl` by these looks. */
export function writeObservations(project: string, name: string, looks: readonly Look[]): void {
  const lines = looks.map((look) => `${JSON.stringify(recordOf(look))}\n`);
  writeFileAtomic(join(project, 'dist', 'evidence', `${name}.jsonl`), lines.join(''), 0o644);
}

function recordOf({ version, softwareDigest, configHash, board, environment, startedMs, endedMs, observed }: Look) {
  return {
    v: 1,
    subject: { version, softwareDigest, configHash, board },
    bootId: '',
    environment,
    startedAt: new Date(startedMs).toISOString(),
    endedAt: new Date(endedMs).toISOString(),
    timeQuality: 'none',
    detail: '',
    observed,
    files: [],
  };
}
