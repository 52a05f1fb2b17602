/** The sink that a command line asks for. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../protocol/problem.ts';
import type { Arguments } from '../lib/command.ts';
import { ExecSink } from './exec-sink.ts';
import { FolderSink, type FolderSinkOptions } from './folder-sink.ts';
import type { Sink } from './sink.ts';
import { StdoutSink } from './stdout-sink.ts';

export interface SinkOptions extends Omit<FolderSinkOptions, 'root'> {
  /** Ends a command that runs. */
  readonly forced: AbortSignal;
}

/** Opens the sink of --output or --exec, else standard output. Refuses `sink-failed`. */
export function openSink(args: Arguments, { forced, ...folder }: SinkOptions): Sink {
  const root = args.text('output');
  const command = args.text('exec');
  if (root !== undefined) return new FolderSink({ root, ...folder });
  if (command !== undefined) return new ExecSink(command, forced);
  return new StdoutSink(process.stdout, args.flag('json'));
}

/** Refuses `usage` for two sinks at once. */
export function refuseTwoSinks(args: Arguments): void {
  if (args.text('output') !== undefined && args.text('exec') !== undefined) {
    throw new Problem('usage', 'give either --output or --exec');
  }
}

/** What `--check` says of the sink; refuses `sink-failed`. */
export function sinkFact(args: Arguments): string {
  const root = args.text('output');
  if (root === undefined) return args.text('exec') === undefined ? 'standard output' : 'a command for each block';
  const probe = join(root, '.check');
  try {
    mkdirSync(root, { recursive: true });
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (thrown) {
    throw new Problem('sink-failed', `${root} cannot be written (${(thrown as NodeJS.ErrnoException).code})`);
  }
  return `${root} can be written`;
}
