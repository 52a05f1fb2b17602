/** paramant-sender: takes readings or files, seals them, and hands the relay one full block an interval. */
import { join } from 'node:path';
import type { Engine } from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import type { Problem, ProblemCode } from '../../protocol/problem.ts';
import { clientChecks, runChecks } from '../lib/check.ts';
import { type Client, openClient } from '../lib/client.ts';
import { type Arguments, EXIT, printJson, runCommand } from '../lib/command.ts';
import { Daemon } from '../lib/daemon.ts';
import { lockFolder } from '../lib/folder-lock.ts';
import { joinSite } from '../lib/join.ts';
import { Notices } from '../lib/notices.ts';
import { monotonicClock } from '../lib/slot-clock.ts';
import { listenForStop } from '../lib/stop.ts';
import { assemble, hasRoute, type Intake, openIntake, recipients, type SenderGround } from './assembly.ts';
import { SENDER, type SenderOptions, senderOptions, spoolFolder } from './options.ts';
import { type SenderParts, summary } from './report.ts';
import { senderFigures } from './sender-figures.ts';

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
const FATAL: readonly ProblemCode[] = ['revoked', 'ttl-exceeded', 'spool-older', 'profile-mismatch'];

/** Runs the command; `engine` is the native one but where a test watches it. */
export async function main(argv: readonly string[], engine: Engine = nativeEngine): Promise<number> {
  return runCommand(SENDER, argv, (args) => send(args, engine));
}

interface Session extends SenderGround {
  readonly notices: Notices;
  /** The problem that no later slot can mend, once it was met. */
  fatal(): Problem | undefined;
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
  let fatal: Problem | undefined;
  const onProblem = (problem: Problem): void => {
    notices.problem(problem);
    if (FATAL.includes(problem.code)) fatal = problem;
  };
  try {
    return await serve({ args, given, folder, client, stop, onProblem, notices, fatal: () => fatal });
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
  // A source that cannot wait is read although the relay is away. With --once a failed start must take nothing.
  let intake = given.once || !hasRoute(given, client) ? undefined : openIntake(session);
  if (given.stdin) intake?.readLines();
  const flushing = setInterval(() => intake?.admission.flush(), FLUSH_MS);
  try {
    await joinSite(client, notices, {
      patienceMs: given.once ? ONCE_PATIENCE_MS : Number.POSITIVE_INFINITY,
      signal: stop.asked,
      onWait: (problem) => daemon.betweenSlots(problem),
    });
    intake ??= openIntake(session);
    return await stream(session, daemon, intake, (made) => {
      parts = made;
    });
  } finally {
    clearInterval(flushing);
    await intake?.close();
    await daemon.close();
  }
}

async function stream(
  session: Session,
  daemon: Daemon,
  intake: Intake,
  onMade: (parts: SenderParts) => void,
): Promise<number> {
  const { args, given, notices, stop } = session;
  let drainUntil = Number.POSITIVE_INFINITY;
  const parts = assemble(session, intake, (problem) => {
    daemon.betweenSlots(problem);
    const now = monotonicClock.now();
    if (stop.asked.aborted) drainUntil = Math.min(drainUntil, now + DRAIN_MS);
    const delivered = parts.outbox.size === 0 && (parts.sources.state !== 'ok' || stop.asked.aborted);
    if (delivered || session.fatal() || now > drainUntil) stop.force();
  });
  onMade(parts);
  const { spool, outbox, admission, sources, uplink } = parts;
  if (outbox.size > 0) notices.say(`${outbox.size} records wait in the spool and go on`);
  if (given.once) await filled(parts);
  await uplink.run(stop.forced);
  await sources.finish();
  admission.flush();
  const fatal = session.fatal();
  if (fatal?.code === 'spool-older') spool.forgetRun();
  else spool.save();
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

/** Waits until the sources have given all they had, or enough to begin with. */
async function filled({ sources, admission, spool, files }: SenderParts): Promise<void> {
  const never = new AbortController().signal;
  const isEnough = (): boolean => files.all.length > 0 || spool.bytes >= FILL_BYTES;
  while (sources.state === 'ok' && !admission.obstacle && !isEnough()) {
    await monotonicClock.sleep(FILL_POLL_MS, never);
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
