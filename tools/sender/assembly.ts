/**
 * What a sender is made of, in two steps: what takes readings in stands before the relay answers, with the roster at
 * hand; what sends them follows when the site was joined, with the newest one.
 */
import { blockCapacity } from '../../protocol/envelope.ts';
import { digestOf } from '../../protocol/identity.ts';
import { MAX_RECORD_BYTES, RECORD_OVERHEAD_BYTES } from '../../protocol/payload.ts';
import type { Problem } from '../../protocol/problem.ts';
import { narrowedRoute, type ResolvedRoute, routeOf } from '../../protocol/roster.ts';
import { streamId } from '../../protocol/stream.ts';
import type { Client } from '../lib/client.ts';
import { type Arguments, integerOption } from '../lib/command.ts';
import { LogReceiptFiles } from '../lib/log-receipt-files.ts';
import { LogReceipts } from '../lib/log-receipts.ts';
import { monotonicClock } from '../lib/slot-clock.ts';
import type { Stop } from '../lib/stop.ts';
import { Admission } from './admission.ts';
import { type LineReading, startLines } from './line-source.ts';
import { OpenFiles } from './open-files.ts';
import { refuseOtherInterval, type SenderOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import type { SenderParts } from './report.ts';
import { beginRun, type Run } from './run-state.ts';
import { Sealer } from './sealer.ts';
import { Sources } from './sources.ts';
import { Spool } from './spool.ts';
import { realDisk } from './spool-state.ts';
import { Uplink } from './uplink.ts';

/** What one start of the sender stands on. */
export interface SenderGround {
  readonly args: Arguments;
  readonly given: SenderOptions;
  /** Of the spool. */
  readonly folder: string;
  readonly client: Client;
  readonly stop: Stop;
  readonly onProblem: (problem: Problem) => void;
}

/** Takes readings in, whether the relay is there or not. */
export interface Intake {
  readonly spool: Spool;
  readonly admission: Admission;
  /** Begins to read standard input, unless that has begun. */
  readLines(): LineReading;
  /** Ends the reading and writes what was read. */
  close(): Promise<void>;
}

/** Whether the roster at hand says where this sender sends. */
export function hasRoute(given: SenderOptions, client: Client): boolean {
  try {
    return recipients(given, client).length > 0;
  } catch {
    return false;
  }
}

/** Opens the spool and what takes readings into it. Refuses what the site does not allow, by the roster at hand. */
export function openIntake(ground: SenderGround): Intake {
  const { given, folder, client, stop, onProblem } = ground;
  const { engine, enrolment } = client;
  const { spoolLimitBytes: limitBytes, overflow } = given;
  const spool = new Spool({ folder, engine, key: enrolment.spoolKey, limitBytes, disk: realDisk, onProblem });
  beginStream(ground, spool);
  const admission = new Admission({ spool, overflow, onProblem });
  let lines: LineReading | undefined;
  return {
    spool,
    admission,
    readLines() {
      const room = blockCapacity(
        client.directory.roster.profile.blockSize,
        chosenRoute(given, client).recipients.length,
      );
      const maxLineBytes = Math.min(MAX_RECORD_BYTES, room - RECORD_OVERHEAD_BYTES);
      const options = { admission, maxLineBytes, clock: monotonicClock, wallMs: Date.now, onProblem };
      lines ??= startLines(process.stdin, options, stop.asked);
      return lines;
    },
    async close() {
      lines?.end();
      await lines?.done.catch(() => {}); // whoever uses the lines has heard of it
      admission.flush();
    },
  };
}

/** Makes the rest of a sender, by the roster of the moment; refuses what the site does not allow. */
export function assemble(
  ground: SenderGround,
  { spool, admission, readLines }: Intake,
  onSlot: (problem: Problem | null) => void,
): SenderParts {
  const { args, given, client, stop, onProblem } = ground;
  const { engine, enrolment, directory } = client;
  const { intervalMs, blockSize: blockBytes } = directory.roster.profile;
  refuseOtherInterval(args, intervalMs);
  const route = chosenRoute(given, client);
  const views = integerOption(args, 'max-views', 1, route.recipients.length) ?? route.views;
  admission.flush();
  const { stream, run } = beginStream(ground, spool);
  const common = { engine, directory, clock: monotonicClock, wallMs: Date.now, onProblem };
  const { ttlSeconds, burnAtClaim } = given;
  const sealer = new Sealer({
    ...common,
    device: enrolment.device,
    route,
    blockBytes,
    views,
    ttlSeconds,
    burnAtClaim,
    streamId: stream,
    run,
    nowMs: monotonicClock.now,
  });
  const files = new OpenFiles(spool, onProblem);
  const outbox = new Outbox({ spool, files, views, once: burnAtClaim, onProblem });
  admission.deliverTo(outbox);
  const lines = given.stdin ? readLines() : null;
  const { room } = sealer;
  const sources = new Sources({ ...common, given, lines, admission, files, room, intervalMs }, stop.asked);
  const logReceipts = new LogReceipts({
    ...client,
    ...common,
    logPin: () => client.profile.logPin,
    files: given.logReceipts === undefined ? null : new LogReceiptFiles(given.logReceipts),
    sender: enrolment.device.did,
    now: monotonicClock.now,
  });
  const uplink = new Uplink({
    ...client,
    ...common,
    logReceipts,
    admission,
    outbox,
    sealer,
    streamId: stream,
    run: run.run,
    recipients: recipients(given, client),
    grid: { intervalMs, phaseMs: enrolment.slotPhaseMs(intervalMs) },
    ttlSeconds,
    sourceState: () => sources.state,
    onSlot,
  });
  return { spool, files, outbox, admission, sources, uplink, logReceipts };
}

/** DIDs of the receivers of the chosen route. */
export function recipients(given: SenderOptions, client: Client): string[] {
  return chosenRoute(given, client).recipients.map(({ did }) => did);
}

/** The stream of the chosen route, and its run: the spool goes on with it, or packs what it holds into a new one. */
function beginStream({ given, client }: SenderGround, spool: Spool): { stream: Uint8Array; run: Run } {
  const { engine, enrolment, state } = client;
  const stream = streamId(enrolment.device.digest, recipients(given, client).map(digestOf));
  return { stream, run: spool.begin(stream, () => beginRun(state, stream, Date.now(), engine.random(8))) };
}

function chosenRoute({ to }: SenderOptions, client: Client): ResolvedRoute {
  const { roster } = client.directory;
  const { name } = client.enrolment.device;
  return to.length > 0 ? narrowedRoute(roster, name, to) : routeOf(roster, name);
}
