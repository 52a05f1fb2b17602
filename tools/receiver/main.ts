/** paramant-receiver: claims blocks, verifies and opens them, commits the readings, and only then acknowledges. */
import { join } from 'node:path';
import type { Engine } from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { asProblem } from '../../protocol/problem.ts';
import { sendersTo } from '../../protocol/roster.ts';
import { clientChecks, runChecks } from '../lib/check.ts';
import { CLIENT_OPTIONS, type Client, DAEMON_OPTIONS, LOG_RECEIPT_OPTION, openClient } from '../lib/client.ts';
import { type Arguments, type CommandSpec, EXIT, integerOption, printJson, runCommand } from '../lib/command.ts';
import { Daemon } from '../lib/daemon.ts';
import { removeTemporaries } from '../lib/files.ts';
import { lockFolder } from '../lib/folder-lock.ts';
import { joinSite } from '../lib/join.ts';
import { LogReceiptFiles } from '../lib/log-receipt-files.ts';
import { LogReceipts } from '../lib/log-receipts.ts';
import { Notices } from '../lib/notices.ts';
import { monotonicClock } from '../lib/slot-clock.ts';
import { listenForStop, type Stop } from '../lib/stop.ts';
import { Downlink } from './downlink.ts';
import { receiverFigures } from './figures.ts';
import { Intake } from './intake.ts';
import { openSink, refuseTwoSinks, sinkFact } from './open-sink.ts';
import { Quarantine } from './quarantine.ts';
import { Silence } from './silence.ts';
import type { Sink } from './sink.ts';
import { StreamMarks } from './stream-marks.ts';

const SPEC: CommandSpec = {
  name: 'paramant-receiver',
  summary: 'claims blocks for this device, verifies and decrypts them, and hands the readings on',
  usage: '--device-id NAME [--output DIR | --exec COMMAND] [options]',
  options: {
    output: { type: 'string', value: 'DIR', help: 'readings as JSON-lines files and whole files into DIR' },
    exec: {
      type: 'string',
      value: 'COMMAND',
      help: 'run COMMAND for each block, readings as JSON lines on its input, and when a sender falls silent',
    },
    count: { type: 'string', value: 'N', help: 'stop after N readings' },
    quarantine: {
      type: 'string',
      value: 'DIR',
      help: 'keep refused blocks and files in DIR, the newest 16 (default: only what is known of them)',
    },
    ...LOG_RECEIPT_OPTION,
    ...DAEMON_OPTIONS,
    ...CLIENT_OPTIONS,
  },
  examples: [
    'paramant-receiver --device-id historian',
    'paramant-receiver --device-id historian --output incoming --relay iot',
    "paramant-receiver --device-id historian --exec 'psql -f -' --json",
  ],
};

/** Runs the command; `engine` is the native one but where a test watches it. */
export async function main(argv: readonly string[], engine: Engine = nativeEngine): Promise<number> {
  return runCommand(SPEC, argv, (args) => receive(args, engine));
}

async function receive(args: Arguments, engine: Engine): Promise<number> {
  refuseTwoSinks(args);
  if (args.flag('check')) return check(args, engine);
  const client = openClient(engine, args);
  const stop = listenForStop();
  stop.forced.addEventListener('abort', () => client.relay.close()); // also ends what is under way
  let readerGone = false;
  const onReaderGone = (): void => {
    readerGone = true;
    stop.ask();
  };
  process.stdout.on('error', onReaderGone);
  let unlock = (): void => {};
  try {
    unlock = lockFolder(client.state); // two would overwrite each other's marks
    await run(args, client, stop);
    return readerGone || stop.forced.aborted ? EXIT.failed : EXIT.ok;
  } finally {
    unlock();
    stop.dispose();
    process.stdout.off('error', onReaderGone);
    client.relay.close();
  }
}

async function run(args: Arguments, client: Client, stop: Stop): Promise<void> {
  const { membership } = client;
  const { profile } = client.directory.roster;
  const count = integerOption(args, 'count', 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY;
  const notices = new Notices('paramant-receiver');
  const { now } = monotonicClock;
  const marks = join(client.state, 'receiver');
  removeTemporaries(marks);
  let incompleteFiles = 0;
  const quarantine = new Quarantine({
    folder: args.text('quarantine') ?? join(client.state, 'quarantine'),
    keepsData: args.text('quarantine') !== undefined,
    notices,
    wallMs: Date.now,
  });
  const sink = openSink(args, {
    journal: join(client.state, 'commit-journal'),
    now,
    onProgress: () => daemon.alive(),
    quarantine: (path, name) => quarantine.putFile(path, name),
    forced: stop.forced,
  });
  const silence = new Silence();
  const intake = new Intake({
    ...client,
    device: () => membership.device,
    marks: new StreamMarks(marks),
    sink,
    quarantine,
    notices,
    silence,
    wallMs: Date.now,
    waitForSink: async () => {
      daemon.alive();
      await monotonicClock.sleep(profile.intervalMs, stop.asked);
      return !stop.asked.aborted;
    },
  });
  const logReceipts = openLogReceipts(args, client, notices);
  const downlink = new Downlink({
    ...client,
    intake,
    logReceipts,
    newSessionId: () => client.engine.random(16),
    grid: { intervalMs: profile.intervalMs, phaseMs: client.enrolment.slotPhaseMs(profile.intervalMs) },
    clock: monotonicClock,
    onProblem: (problem) => {
      notices.problem(problem);
      if (problem.code === 'profile-mismatch') stop.ask();
    },
    onSlot: (problem) => {
      if (!downlink.standsStill) daemon.betweenSlots(problem); // a service manager shall see that it does
      tellSilence(client, { silence, sink, notices });
      for (const sentence of sink.tend()) {
        incompleteFiles += 1;
        notices.say(sentence);
      }
    },
    isDone: () => intake.counters.records >= count,
    forced: stop.forced,
  });
  const rosterVersion = (): number => client.directory.roster.version;
  const daemon = await Daemon.start({
    tool: 'receiver',
    client,
    notices,
    stopAsked: stop.asked,
    metrics: args.text('metrics'),
    figures: receiverFigures({ intake, downlink, silence, rosterVersion, incompleteFiles: () => incompleteFiles, now }),
    now,
    onReload: () => downlink.renewSoon(),
  });
  try {
    if (await joined(client, notices, daemon, stop)) {
      notices.say(`${membership.device.name} is registered at ${client.profile.url} and waits for readings`);
      await downlink.run(stop.asked);
    }
  } finally {
    await daemon.close();
    await sink.close();
  }
  if (args.flag('json')) {
    printJson({
      ok: true,
      ...intake.counters,
      incompleteFiles,
      covers: downlink.covers,
      failedSlots: downlink.failedSlots,
      ...logReceipts?.counters,
      missedSlots: downlink.missedSlots,
    });
  }
}

/** Log receipts are for who keeps them: the sender of a block looks after them anyway. */
function openLogReceipts(args: Arguments, client: Client, notices: Notices): LogReceipts | null {
  const folder = args.text('log-receipts');
  if (folder === undefined) return null;
  return new LogReceipts({
    ...client,
    logPin: () => client.profile.logPin,
    files: new LogReceiptFiles(folder),
    sender: null,
    now: monotonicClock.now,
    onProblem: (problem) => notices.problem(problem),
  });
}

/** Tells the operator and the sink who fell silent in the slot that ended, and who is heard again. */
function tellSilence(
  { directory: { roster }, enrolment: { device } }: Client,
  { silence, sink, notices }: { silence: Silence; sink: Sink; notices: Notices },
): void {
  const names = sendersTo(roster, device.name).map(({ name }) => name);
  for (const note of silence.slot(names, roster.profile.lanesDown)) {
    const { sender, state, silentSlots } = note;
    const what = state === 'stale' ? 'is stale: nothing came of it' : 'is heard again: nothing had come';
    notices.report(`${state} ${sender}`, `${sender} ${what} for ${silentSlots} slots`);
    sink.note(note).then(
      () => silence.told(note),
      (thrown: unknown) => {
        silence.notTold(note);
        notices.problem(asProblem(thrown));
      },
    );
  }
}

/** Joins the site, however long the relay is away; false when it was asked to stop meanwhile. */
async function joined(client: Client, notices: Notices, daemon: Daemon, stop: Stop): Promise<boolean> {
  try {
    await joinSite(client, notices, {
      patienceMs: Number.POSITIVE_INFINITY,
      signal: stop.asked,
      onWait: (problem) => daemon.betweenSlots(problem),
    });
    return true;
  } catch (thrown) {
    if (stop.asked.aborted) return false;
    throw thrown;
  }
}

async function check(args: Arguments, engine: Engine): Promise<number> {
  let client: Client | undefined;
  const open = (): Client => {
    client = openClient(engine, args);
    return client;
  };
  try {
    return await runChecks(args, [
      ...clientChecks(open, senders),
      { name: 'stream marks', look: () => `${new StreamMarks(join(client!.state, 'receiver')).size} streams` },
      { name: 'sink', look: () => sinkFact(args) },
    ]);
  } finally {
    client?.relay.close();
  }
}

/** DIDs of the senders whose routes lead to this device. */
function senders(client: Client): string[] {
  return sendersTo(client.directory.roster, client.enrolment.device.name).map(({ did }) => did);
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
