/**
 * The audit log filled as fast as it takes records, and started again: each a process of its own, so that its memory is
 * the log's. Started by log.ts with a task as its argument; answers with one line of JSON.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { spkiOf } from '../protocol/engine/der.ts';
import { nativeEngine as engine } from '../protocol/engine/native.ts';
import { pinOf, toBase64Url } from '../protocol/text.ts';
import { formatTlogProof } from '../protocol/tlog-proof.ts';
import { Epochs } from '../relay/log/epochs.ts';
import type { EpochView } from '../relay/log/log-view.ts';
import { openStick } from '../relay/log/open-stick.ts';
import { proofOfLeaf } from '../relay/log/proofs.ts';
import { HEAD_MS, Sequencer } from '../relay/log/sequencer.ts';
import { SignerThread } from '../relay/log/signer-thread.ts';
import { folderDisk } from '../relay/log/stick-disk.ts';
import { quantile } from './figures.ts';
import { type AppendTimes, timeAppend } from './log-append.ts';
import { drafts } from './log-records.ts';
import { peakRssMiBOf, rssMiBOf } from './process-stat.ts';

const MIB = 2 ** 20;
/** Not the default: the million records are to be in one epoch. */
const LIMIT_BYTES = 1024 * MIB;
const LOG_SEED = new Uint8Array(32).fill(7);
const LOG_PIN = pinOf(spkiOf('ml-dsa-65', engine.singleKey('ml-dsa-65', LOG_SEED).publicKey));
/** Below what an epoch may have, so that one epoch has them all. */
const MOST_RECORDS = 4_000_000;
/** Records between two looks at the clock and at what the signer sent. */
const BATCH = 100;

export type Task =
  | { readonly task: 'append'; readonly folder: string; readonly turns: number }
  | {
      readonly task: 'fill';
      readonly folder: string;
      readonly records: number;
      /** Of these, so many first: memory is measured from there on, when all code was compiled. */
      readonly warmUp: number;
      readonly heads: number;
      readonly proofs: number;
    }
  | { readonly task: 'replay'; readonly folder: string }
  /** `stick` is a folder of a mounted file system. */
  | { readonly task: 'required'; readonly folder: string; readonly stick: string; readonly seconds: number };

export interface Filled {
  /** Seconds that the first `records` took. */
  readonly seconds: number;
  /** Of the whole run. */
  readonly recordsPerSecond: number;
  /** How late the latest head was published. */
  readonly headLateMs: number;
  /** Growth from `warmUp` to `records` of the resident memory of the process, of its heap, and of the files in memory. */
  readonly rssMiB: number;
  readonly heapMiB: number;
  readonly filesMiB: number;
  /** Milliseconds of each proof, and how many were made in a second. */
  readonly proofP99Ms: number;
  readonly proofsPerSecond: number;
}

export interface Replayed {
  readonly records: number;
  readonly seconds: number;
  /** Growth of the resident memory, and its peak above the start. */
  readonly rssMiB: number;
  readonly peakMiB: number;
}

export interface Required {
  /** Records that were durable when they were counted. */
  readonly recordsPerSecond: number;
  /** How late the latest head was published. */
  readonly headLateMs: number;
}

const task = JSON.parse(process.argv[2]!) as Task;
process.stdout.write(`${JSON.stringify(await measure())}\n`);

async function measure(): Promise<AppendTimes | Filled | Replayed | Required> {
  switch (task.task) {
    case 'append':
      return timeAppend(task.folder, task.turns);
    case 'fill':
      return fill(task);
    case 'replay':
      return replay(task);
    case 'required':
      return required(task);
  }
}

async function fill({ folder, records, warmUp, heads, proofs }: Extract<Task, { task: 'fill' }>): Promise<Filled> {
  const { epochs, sequencer, signer } = await open(folder, null);
  const epoch = epochs.kept[0]!;
  while (epoch.heads.length === 0) await turn();
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  const source = drafts();
  let [count, headLateMs, secondsOfRecords] = [0, 0, 0];
  let [before, after] = [memory(), memory()];
  for (let seen = 1; count < records || seen < heads; await turn()) {
    for (let i = 0; i < BATCH && count < MOST_RECORDS; i++, count++) sequencer.record(source.next().value);
    sequencer.tick();
    if (epoch.heads.length > seen) {
      headLateMs = Math.max(headLateMs, performance.now() - startMs - seen * HEAD_MS);
      seen = epoch.heads.length;
    }
    if (count === warmUp) before = memory();
    if (secondsOfRecords === 0 && count >= records) {
      secondsOfRecords = seconds();
      after = memory();
    }
  }
  const recordsPerSecond = count / seconds();
  const filesMiB = after.files - before.files;
  const [rssMiB, heapMiB] = [after.rss - before.rss, after.heap - before.heap];
  const timed = timeProofs(epoch, proofs);
  epochs.close(); // as after a kill: the epoch stays open
  await signer.close();
  return { seconds: secondsOfRecords, recordsPerSecond, headLateMs, rssMiB, heapMiB, filesMiB, ...timed };

  function memory() {
    return { rss: rssMiBOf(process.pid), heap: process.memoryUsage().heapUsed / MIB, files: filesMiBIn(folder) };
  }
}

/** As many records a turn as busy senders have under way, each turn over when all of them are durable. */
async function required({ folder, stick: path, seconds }: Extract<Task, { task: 'required' }>): Promise<Required> {
  const { epochs, sequencer, signer, stick } = await open(folder, path);
  await stick!.begin((draft) => void sequencer.record(draft));
  while ((await stick!.settled()) !== 'durable') await turn();
  const source = drafts();
  const startMs = performance.now();
  let [count, headLateMs, dueMs, seen] = [0, 0, startMs + HEAD_MS, headsOf(epochs)];
  while (performance.now() - startMs < seconds * 1000) {
    for (let i = 0; i < BATCH; i++, count++) sequencer.record(source.next().value);
    if ((await stick!.settled()) !== 'durable') throw new Error('the stick is not kept up with');
    sequencer.tick();
    stick!.tick();
    if (headsOf(epochs) === seen) continue;
    seen = headsOf(epochs);
    headLateMs = Math.max(headLateMs, performance.now() - dueMs);
    dueMs += HEAD_MS;
  }
  const recordsPerSecond = (count / (performance.now() - startMs)) * 1000;
  await sequencer.close();
  await signer.close();
  await stick!.close();
  epochs.close();
  return { recordsPerSecond, headLateMs: Math.max(0, headLateMs) };
}

function headsOf({ kept }: Epochs): number {
  return kept.reduce((sum, { heads }) => sum + heads.length, 0);
}

/** A log as open-audit.ts makes it, with every clock real; `path` is where its stick is, if it has one. */
async function open(folder: string, path: string | null) {
  const onFinding = (fact: string): never => {
    throw new Error(fact);
  };
  const epochs = openEpochs(folder, onFinding);
  const signer = new SignerThread(LOG_SEED.slice(), { seedAgain: async () => LOG_SEED.slice() });
  const [now, wall] = [() => performance.now(), () => Date.now()];
  const shared = { engine, signer, epochs, name: 'bench', now, wall };
  const opened =
    path && (await openStick({ ...shared, disk: folderDisk(path), isRequired: true, logPin: LOG_PIN, onFinding }));
  const stick = opened ? opened.stick : null;
  const sequencer = new Sequencer({
    ...shared,
    ...(stick && { archive: stick }),
    mode: stick ? 'required' : 'best-effort',
    opening: { boot: 'unknown', config: { hash: toBase64Url(engine.random(32)), version: 0 }, software: '0.0.0' },
    quantum: () => 1,
    startedMs: now(),
    onFault: onFinding,
  });
  return { epochs, sequencer, signer, stick };
}

function openEpochs(folder: string, onFinding: (fact: string) => void): Epochs {
  return new Epochs({ engine, logPin: LOG_PIN, folder, limitBytes: LIMIT_BYTES, mode: 'best-effort', onFinding });
}

/** Proofs of leaves at random below the newest head, as they are served. */
function timeProofs(epoch: EpochView, count: number): Pick<Filled, 'proofP99Ms' | 'proofsPerSecond'> {
  const { size } = epoch.heads.at(-1)!;
  const times = Array.from({ length: count }, () => {
    const startMs = performance.now();
    formatTlogProof(proofOfLeaf(engine, epoch, Math.floor(Math.random() * size)));
    return performance.now() - startMs;
  });
  const proofsPerSecond = (1000 * count) / times.reduce((sum, ms) => sum + ms, 0);
  return { proofP99Ms: quantile(times, 0.99), proofsPerSecond };
}

function replay({ folder }: Extract<Task, { task: 'replay' }>): Replayed {
  const before = rssMiBOf(process.pid);
  const startMs = performance.now();
  const findings: string[] = [];
  const epochs = openEpochs(folder, (fact) => findings.push(fact));
  const seconds = (performance.now() - startMs) / 1000;
  if (findings.length > 0) throw new Error(findings.join('; '));
  const rssMiB = rssMiBOf(process.pid) - before;
  return { records: epochs.kept[0]!.size, seconds, rssMiB, peakMiB: peakRssMiBOf(process.pid) - before };
}

function filesMiBIn(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).blocks * 512, 0) / MIB;
}
