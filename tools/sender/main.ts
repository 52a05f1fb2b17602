/** paramant-sender: takes readings or files, seals them, and hands the relay one full block an interval. */
import { MAX_TTL_SECONDS } from '../../protocol/block.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { digestOf } from '../../protocol/identity.ts';
import { MAX_RECORD_BYTES, RECORD_OVERHEAD_BYTES, type SourceState } from '../../protocol/payload.ts';
import { asProblem, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { narrowedRoute, type ResolvedRoute, routeOf } from '../../protocol/roster.ts';
import { streamId } from '../../protocol/stream.ts';
import { CLIENT_OPTIONS, type Client, openClient } from '../lib/client.ts';
import {
  type Arguments,
  type CommandSpec,
  EXIT,
  integerOption,
  numberOption,
  printJson,
  runCommand,
} from '../lib/command.ts';
import { joinSite } from '../lib/join.ts';
import { Notices } from '../lib/notices.ts';
import { monotonicClock } from '../lib/slot-clock.ts';
import { listenForStop } from '../lib/stop.ts';
import { addFile } from './file-source.ts';
import { readLines } from './line-source.ts';
import { Outbox } from './outbox.ts';
import { beginRun } from './run-state.ts';
import { Sealer } from './sealer.ts';
import { Uplink } from './uplink.ts';

const DEFAULT_TTL_SECONDS = 3600;
const OUTBOX_BYTES = 67_108_864;
/** After SIGTERM, how long to go on until everything is delivered. */
const DRAIN_MS = 30_000;
const FILL_POLL_MS = 10;
/** With --once, how long to wait for a relay that does not answer. */
const ONCE_PATIENCE_MS = 15_000;
/** Problems that no later slot can mend: the sender stops with what it could not deliver. */
const FATAL: readonly ProblemCode[] = ['file-invalid', 'revoked', 'ttl-exceeded'];

const SPEC: CommandSpec = {
  name: 'paramant-sender',
  summary: 'seals readings on this host and sends one uniform block an interval through the relay',
  usage: '(--stdin | --file FILE...) --device-id NAME [options]',
  options: {
    stdin: { type: 'boolean', help: 'one reading a line from standard input' },
    file: { type: 'string', multiple: true, value: 'FILE', help: 'send this file (may be given again)' },
    interval: { type: 'string', value: 'SECONDS', help: "must be the sector profile's interval (default: that)" },
    to: { type: 'string', multiple: true, value: 'NAME', help: 'device or group, within the route of the roster' },
    once: { type: 'boolean', help: 'read to the end, send, wait for the delivery receipts, exit' },
    ttl: {
      type: 'string',
      value: 'SECONDS',
      help: `the relay destroys an unread block after this (default ${DEFAULT_TTL_SECONDS})`,
    },
    'max-views': {
      type: 'string',
      value: 'N',
      help: 'how many of the receivers may read a block (default: the route)',
    },
    'burn-at-claim': { type: 'boolean', help: 'destroy a block when it is claimed: at most once, may be lost' },
    ...CLIENT_OPTIONS,
  },
  examples: [
    'paramant-sender --stdin --interval 15 --device-id plc-A1 --relay iot',
    'echo "temperature 21.5" | paramant-sender --stdin --once --device-id plc-A1',
    'paramant-sender --file recipe.csv --device-id plc-A1 --to historian',
  ],
};

/** Runs the command; `engine` is the native one but where a test watches it. */
export async function main(argv: readonly string[], engine: Engine = nativeEngine): Promise<number> {
  return runCommand(SPEC, argv, (args) => send(args, engine));
}

async function send(args: Arguments, engine: Engine): Promise<number> {
  refuseUnclearSource(args);
  const client = openClient(engine, args);
  const notices = new Notices('paramant-sender');
  const stop = listenForStop();
  stop.forced.addEventListener('abort', () => client.relay.close()); // also ends what is under way
  try {
    const peers = (): string[] => chosenRoute(args, client).recipients.map(({ did }) => did);
    await joinSite(client, notices, {
      patienceMs: args.flag('once') ? ONCE_PATIENCE_MS : Number.POSITIVE_INFINITY,
      signal: stop.asked,
      peers,
    });
    return await stream(args, client, notices, stop);
  } finally {
    stop.dispose();
    client.relay.close();
  }
}

async function stream(
  args: Arguments,
  client: Client,
  notices: Notices,
  stop: ReturnType<typeof listenForStop>,
): Promise<number> {
  const { engine, enrolment, directory } = client;
  const { profile } = directory.roster;
  refuseOtherInterval(args, profile.intervalMs);
  const route = chosenRoute(args, client);
  const views = integerOption(args, 'max-views', 1, route.recipients.length) ?? route.views;
  const ttlSeconds = integerOption(args, 'ttl', 1, MAX_TTL_SECONDS) ?? DEFAULT_TTL_SECONDS;
  const stream = streamId(
    enrolment.device.digest,
    route.recipients.map(({ did }) => digestOf(did)),
  );
  const run = beginRun(client.state, stream, Date.now(), engine.random(8));
  const outbox = new Outbox({ maxBytes: OUTBOX_BYTES, views });
  const sealer = new Sealer({
    engine,
    device: enrolment.device,
    directory,
    route,
    blockBytes: profile.blockSize,
    views,
    ttlSeconds,
    burnAtClaim: args.flag('burn-at-claim'),
    streamId: stream,
    run,
    wallMs: Date.now,
    nowMs: monotonicClock.now,
  });

  const source = openSource(args, client, sealer, outbox, notices, stop.asked);
  if (args.flag('once')) await filled(source, outbox);

  let drainUntil = Number.POSITIVE_INFINITY;
  let fatal: Problem | undefined;
  const uplink = new Uplink({
    ...client,
    outbox,
    sealer,
    streamId: stream,
    run: run.run,
    recipients: route.recipients.map(({ did }) => did),
    intervalMs: profile.intervalMs,
    ttlSeconds,
    clock: monotonicClock,
    sourceState: () => source.state,
    onProblem: (problem) => {
      notices.problem(problem);
      if (FATAL.includes(problem.code)) fatal = problem;
    },
    onSlot: () => {
      const now = monotonicClock.now();
      if (stop.asked.aborted) drainUntil = Math.min(drainUntil, now + DRAIN_MS);
      const delivered = outbox.size === 0 && (source.state !== 'ok' || stop.asked.aborted);
      if (delivered || fatal || now > drainUntil) stop.force();
    },
  });
  await uplink.run(stop.forced);
  const tooLong = await source.finish();
  return summarise(args, notices, { outbox, uplink, tooLong, sourceFailed: source.state === 'failed', fatal });
}

interface Source {
  state: SourceState;
  /** Stops reading and gives how many lines could not be taken. */
  finish: () => Promise<number>;
}

function openSource(
  args: Arguments,
  client: Client,
  sealer: Sealer,
  outbox: Outbox,
  notices: Notices,
  signal: AbortSignal,
): Source {
  const source: Source = { state: 'ok', finish: async () => 0 };
  if (!args.flag('stdin')) {
    for (const path of args.texts('file')) addFile(client.engine, path, sealer.room, outbox);
    source.state = 'ended';
    return source;
  }
  const end = new AbortController();
  const lines = readLines(
    process.stdin,
    {
      outbox,
      maxLineBytes: Math.min(MAX_RECORD_BYTES, sealer.room - RECORD_OVERHEAD_BYTES),
      clock: monotonicClock,
      wallMs: Date.now,
      onProblem: (problem) => notices.problem(problem),
    },
    AbortSignal.any([signal, end.signal]),
  ).then(
    (tooLong) => {
      source.state = 'ended';
      return tooLong;
    },
    (thrown: unknown) => {
      source.state = 'failed';
      notices.problem(asProblem(thrown));
      return 0;
    },
  );
  source.finish = () => {
    end.abort();
    return lines;
  };
  return source;
}

/** Waits until the source has given all it had, or as much as the outbox holds. */
async function filled(source: Source, outbox: Outbox): Promise<void> {
  const never = new AbortController().signal;
  while (source.state === 'ok' && !outbox.full) await monotonicClock.sleep(FILL_POLL_MS, never);
}

interface Outcome {
  readonly outbox: Outbox;
  readonly uplink: Uplink;
  readonly tooLong: number;
  readonly sourceFailed: boolean;
  readonly fatal: Problem | undefined;
}

function summarise(args: Arguments, notices: Notices, outcome: Outcome): number {
  const { outbox, uplink, tooLong, sourceFailed, fatal } = outcome;
  const undelivered = outbox.size;
  const ok = undelivered === 0 && outbox.refused === 0 && tooLong === 0 && !sourceFailed && !fatal;
  if (!ok) {
    notices.say(`${undelivered} records without a delivery receipt, ${outbox.refused} refused, ${tooLong} too long`);
  }
  if (args.flag('json')) {
    printJson({
      ok,
      ...(fatal ? { code: fatal.code } : {}),
      records: outbox.nextSeq,
      delivered: outbox.released,
      undelivered,
      refused: outbox.refused,
      tooLong,
      ...uplink.counters,
    });
  }
  return ok ? EXIT.ok : EXIT.failed;
}

function refuseUnclearSource(args: Arguments): void {
  const files = args.texts('file').length > 0;
  if (args.flag('stdin') === files) throw new Problem('usage', 'give either --stdin or --file');
}

function refuseOtherInterval(args: Arguments, profileMs: number): void {
  const seconds = numberOption(args, 'interval', 0.1, 3600);
  if (seconds !== undefined && Math.round(seconds * 1000) !== profileMs) {
    const fact = `--interval is ${seconds} s, the sector profile says ${profileMs / 1000} s`;
    throw new Problem('profile-mismatch', `${fact}: a device with its own rhythm would stand out`);
  }
}

function chosenRoute(args: Arguments, client: Client): ResolvedRoute {
  const { roster } = client.directory;
  const { name } = client.enrolment.device;
  const names = args.texts('to');
  return names.length > 0 ? narrowedRoute(roster, name, names) : routeOf(roster, name);
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
