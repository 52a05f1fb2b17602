/** paramant-receiver: claims blocks, verifies and opens them, commits the readings, and only then acknowledges. */
import { join } from 'node:path';
import type { Engine } from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { sendersTo } from '../../protocol/roster.ts';
import { CLIENT_OPTIONS, type Client, openClient } from '../lib/client.ts';
import { type Arguments, type CommandSpec, EXIT, integerOption, printJson, runCommand } from '../lib/command.ts';
import { joinSite } from '../lib/join.ts';
import { Notices } from '../lib/notices.ts';
import { monotonicClock } from '../lib/slot-clock.ts';
import { listenForStop, type Stop } from '../lib/stop.ts';
import { Downlink } from './downlink.ts';
import { ExecSink } from './exec-sink.ts';
import { FolderSink } from './folder-sink.ts';
import { Intake } from './intake.ts';
import type { Sink } from './sink.ts';
import { StdoutSink } from './stdout-sink.ts';
import { StreamMarks } from './stream-marks.ts';

const SPEC: CommandSpec = {
  name: 'paramant-receiver',
  summary: 'claims blocks for this device, verifies and decrypts them, and hands the readings on',
  usage: '--device-id NAME [--output DIR | --exec COMMAND] [options]',
  options: {
    output: { type: 'string', value: 'DIR', help: 'readings as JSON-lines files and whole files into DIR' },
    exec: { type: 'string', value: 'COMMAND', help: 'run COMMAND for each block, readings as JSON lines on its input' },
    count: { type: 'string', value: 'N', help: 'stop after N readings' },
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
  const sink = openSink(args);
  const client = openClient(engine, args);
  const notices = new Notices('paramant-receiver');
  const stop = listenForStop();
  stop.forced.addEventListener('abort', () => client.relay.close()); // also ends what is under way
  let readerGone = false;
  const onReaderGone = (): void => {
    readerGone = true;
    stop.ask();
  };
  process.stdout.on('error', onReaderGone);
  try {
    await joinSite(client, notices, {
      patienceMs: Number.POSITIVE_INFINITY,
      signal: stop.asked,
      peers: () => senders(client),
    });
    await run(args, client, sink, notices, stop);
    return readerGone ? EXIT.failed : EXIT.ok;
  } finally {
    stop.dispose();
    process.stdout.off('error', onReaderGone);
    await sink.close();
    client.relay.close();
  }
}

async function run(args: Arguments, client: Client, sink: Sink, notices: Notices, stop: Stop): Promise<void> {
  const { engine, enrolment, directory, membership } = client;
  const { profile } = directory.roster;
  const count = integerOption(args, 'count', 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY;
  const intake = new Intake({
    engine,
    device: enrolment.device,
    directory,
    membership,
    marks: new StreamMarks(join(client.state, 'receiver')),
    sink,
    notices,
    wallMs: Date.now,
    waitForSink: async () => {
      await monotonicClock.sleep(profile.intervalMs, stop.asked);
      return !stop.asked.aborted;
    },
  });
  const downlink = new Downlink({
    relay: client.relay,
    membership,
    intake,
    senders: () => senders(client),
    newSessionId: () => engine.random(16),
    blockBytes: profile.blockSize,
    intervalMs: profile.intervalMs,
    clock: monotonicClock,
    onProblem: (problem) => notices.problem(problem),
    isDone: () => intake.counters.records >= count,
  });
  notices.say(`${enrolment.device.name} is registered at ${client.profile.url} and waits for readings`);
  await downlink.run(stop.asked);
  if (args.flag('json')) {
    printJson({ ok: true, ...intake.counters, covers: downlink.covers, failedSlots: downlink.failedSlots });
  }
}

function openSink(args: Arguments): Sink {
  const output = args.text('output');
  const command = args.text('exec');
  if (output !== undefined && command !== undefined) throw new Problem('usage', 'give either --output or --exec');
  if (output !== undefined) return new FolderSink(output);
  if (command !== undefined) return new ExecSink(command);
  return new StdoutSink(process.stdout, args.flag('json'));
}

/** DIDs of the senders whose routes lead to this device. */
function senders(client: Client): string[] {
  return sendersTo(client.directory.roster, client.enrolment.device.name).map(({ did }) => did);
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
