/** paramant-sender: takes readings or files, seals them, and hands the relay one full block an interval. */
import { join } from 'node:path';
import type { Engine } from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { digestOf } from '../../protocol/identity.ts';
import type { Problem, ProblemCode } from '../../protocol/problem.ts';
import { narrowedRoute, type ResolvedRoute, routeOf } from '../../protocol/roster.ts';
import { streamId } from '../../protocol/stream.ts';
import { clientChecks, runChecks } from '../lib/check.ts';
import { type Client, openClient } from '../lib/client.ts';
import { type Arguments, EXIT, integerOption, printJson, runCommand } from '../lib/command.ts';
import { Daemon } from '../lib/daemon.ts';
import { lockFolder } from '../lib/folder-lock.ts';
import { joinSite } from '../lib/join.ts';
import { Notices } from '../lib/notices.ts';
import { monotonicClock } from '../lib/slot-clock.ts';
import { listenForStop, type Stop } from '../lib/stop.ts';
import { Admission } from './admission.ts';
import { OpenFiles } from './open-files.ts';
import { refuseOtherInterval, SENDER, type SenderOptions, senderOptions, spoolFolder } from './options.ts';
import { Outbox } from './outbox.ts';
import { type SenderParts, summary } from './report.ts';
import { beginRun } from './run-state.ts';
import { Sealer } from './sealer.ts';
import { senderFigures } from './sender-figures.ts';
import { Sources } from './sources.ts';
import { Spool } from './spool.ts';
import { realDisk } from './spool-state.ts';
import { Uplink } from './uplink.ts';

/** A reading is in the spool, safe from a kill, after this at the latest. */
const FLUSH_MS = 1_000;
/** After SIGTERM, how long to go on until everything is delivered. */
const DRAIN_MS = 30_000;
/** With --once, what is read before the first block is built, unless the source ends sooner. */
const FILL_BYTES = 16_777_216;
const FILL_POLL_MS = 10;
/** With --once, how long to wait for a relay that does not answer. */
const ONCE_PATIENCE_MS = 15_000;
/** Problems that no later slot can mend: the sender stops with what it could not deliver. */
const FATAL: readonly ProblemCode[] = ['revoked', 'ttl-exceeded', 'spool-older'];

/** Runs the command; `engine` is the native one but where a test watches it. */
export async function main(argv: readonly string[], engine: Engine = nativeEngine): Promise<number> {
  return runCommand(SENDER, argv, (args) => send(args, engine));
}

/** What one start of the sender stands on. */
interface Session {
  readonly args: Arguments;
  readonly given: SenderOptions;
  /** Of the spool. */
  readonly folder: string;
  readonly client: Client;
  readonly notices: Notices;
  readonly stop: Stop;
}

async function send(args: Arguments, engine: Engine): Promise<number> {
  const given = senderOptions(args);
  if (args.flag('check')) return check(args, given, engine);
  const client = openClient(engine, args);
  const notices = new Notices('paramant-sender');
  const stop = listenForStop();
  stop.forced.addEventListener('abort', () => client.relay.close()); // also ends what is under way
  const base = given.spool ?? join(client.state, 'spool');
  const folder = spoolFolder(engine, base, client.enrolment.device.digest, given.to);
  const unlock = lockFolder(folder);
  try {
    return await serve({ args, given, folder, client, notices, stop });
  } finally {
    unlock();
    stop.dispose();
    client.relay.close();
  }
}

async function serve(session: Session): Promise<number> {
  const { args, given, client, notices, stop } = session;
  let parts: SenderParts | undefined;
  const daemon = await Daemon.start({
    tool: 'sender',
    client,
    notices,
    stopAsked: stop.asked,
    metrics: args.text('metrics'),
    figures: senderFigures({
      parts: () => parts,
      rosterVersion: () => client.directory.roster.version,
      wallMs: Date.now,
      now: monotonicClock.now,
    }),
    now: monotonicClock.now,
    onReload: () => parts?.uplink.renewSoon(),
  });
  try {
    await joinSite(client, notices, {
      patienceMs: given.once ? ONCE_PATIENCE_MS : Number.POSITIVE_INFINITY,
      signal: stop.asked,
      peers: () => recipients(given, client),
      onWait: (problem) => daemon.betweenSlots(problem),
    });
    return await stream(session, daemon, (made) => {
      parts = made;
    });
  } finally {
    await daemon.close();
  }
}

async function stream(session: Session, daemon: Daemon, onMade: (parts: SenderParts) => void): Promise<number> {
  const { args, given, notices, stop } = session;
  let fatal: Problem | undefined;
  let drainUntil = Number.POSITIVE_INFINITY;
  const onProblem = (problem: Problem): void => {
    notices.problem(problem);
    if (FATAL.includes(problem.code)) fatal = problem;
  };
  const parts = assemble(session, {
    onProblem,
    onSlot: (problem) => {
      daemon.betweenSlots(problem);
      const now = monotonicClock.now();
      if (stop.asked.aborted) drainUntil = Math.min(drainUntil, now + DRAIN_MS);
      const delivered = parts.outbox.size === 0 && (parts.sources.state !== 'ok' || stop.asked.aborted);
      if (delivered || fatal || now > drainUntil) stop.force();
    },
  });
  onMade(parts);
  const { spool, outbox, admission, sources, uplink } = parts;
  if (outbox.size > 0) notices.say(`${outbox.size} records of an earlier start go on from the spool`);
  const flushing = setInterval(() => admission.flush(), FLUSH_MS);
  try {
    if (given.once) await filled(parts);
    await uplink.run(stop.forced);
    await sources.finish();
    admission.flush();
    if (fatal?.code === 'spool-older') spool.forgetRun();
    else spool.save();
  } finally {
    clearInterval(flushing);
  }
  const last = summary(parts, notices, fatal);
  if (args.flag('json')) printJson(last);
  return last.ok ? EXIT.ok : EXIT.failed;
}

async function check(args: Arguments, given: SenderOptions, engine: Engine): Promise<number> {
  let client: Client | undefined;
  const open = (): Client => {
    client = openClient(engine, args);
    return client;
  };
  try {
    return await runChecks(
      args,
      clientChecks(open, (opened) => recipients(given, opened)),
    );
  } finally {
    client?.relay.close();
  }
}

/** Makes the parts of a sender from its options; refuses what the site does not allow. */
function assemble(
  { args, given, folder, client, stop }: Session,
  { onProblem, onSlot }: { onProblem: (problem: Problem) => void; onSlot: (problem: Problem | null) => void },
): SenderParts {
  const { engine, enrolment, directory } = client;
  const { profile } = directory.roster;
  refuseOtherInterval(args, profile.intervalMs);
  const route = chosenRoute(given, client);
  const views = integerOption(args, 'max-views', 1, route.recipients.length) ?? route.views;
  const stream = streamId(
    enrolment.device.digest,
    route.recipients.map(({ did }) => digestOf(did)),
  );
  const spool = new Spool({
    folder,
    engine,
    key: enrolment.spoolKey,
    limitBytes: given.spoolLimitBytes,
    disk: realDisk,
    onProblem,
  });
  const run = spool.begin(stream, () => beginRun(client.state, stream, Date.now(), engine.random(8)));
  const common = { engine, directory, clock: monotonicClock, wallMs: Date.now, onProblem };
  const { ttlSeconds, burnAtClaim } = given;
  const sealer = new Sealer({
    ...common,
    device: enrolment.device,
    route,
    blockBytes: profile.blockSize,
    views,
    ttlSeconds,
    burnAtClaim,
    streamId: stream,
    run,
    nowMs: monotonicClock.now,
  });
  const files = new OpenFiles(spool, onProblem);
  const outbox = new Outbox({ spool, files, views, once: burnAtClaim, onProblem });
  const admission = new Admission({ spool, outbox, overflow: given.overflow, onProblem });
  const { room } = sealer;
  const { intervalMs } = profile;
  const sources = new Sources(
    { ...common, given, input: process.stdin, admission, files, room, intervalMs },
    stop.asked,
  );
  const uplink = new Uplink({
    ...client,
    ...common,
    admission,
    outbox,
    sealer,
    streamId: stream,
    run: run.run,
    recipients: recipients(given, client),
    intervalMs,
    ttlSeconds,
    sourceState: () => sources.state,
    onSlot,
  });
  return { spool, files, outbox, admission, sources, uplink };
}

/** Waits until the sources have given all they had, or enough to begin with. */
async function filled({ sources, admission, spool, files }: SenderParts): Promise<void> {
  const never = new AbortController().signal;
  const isEnough = (): boolean => files.all.length > 0 || spool.bytes >= FILL_BYTES;
  while (sources.state === 'ok' && !admission.obstacle && !isEnough()) {
    await monotonicClock.sleep(FILL_POLL_MS, never);
  }
}

function chosenRoute({ to }: SenderOptions, client: Client): ResolvedRoute {
  const { roster } = client.directory;
  const { name } = client.enrolment.device;
  return to.length > 0 ? narrowedRoute(roster, name, to) : routeOf(roster, name);
}

/** DIDs of the receivers of the chosen route. */
function recipients(given: SenderOptions, client: Client): string[] {
  return chosenRoute(given, client).recipients.map(({ did }) => did);
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
