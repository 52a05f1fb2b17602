/** `ghostpipe-audit show`: the epochs of an export, their heads, and the last records, each of them proved. */
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { toBase64 } from '../../protocol/text.ts';
import { type CommandSpec, EXIT, integerOption, printJson, runCommand } from '../lib/command.ts';
import { logPinOption, PIN_OPTIONS } from './pin-option.ts';
import { newestHead, openEpochs, provenRecord } from './proven.ts';
import { recordLine } from './record-text.ts';
import type { SignedEpoch } from './signed-epoch.ts';
import { unsealOption } from './unseal-option.ts';
import { folderArgument } from './verify.ts';

const DEFAULT_LAST = 10;
const MAX_LAST = 10_000;
/** Heads of an epoch that are listed, the newest. */
const HEADS_SHOWN = 5;

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit show',
  summary: 'show epochs and heads of an export, and its last records; what is shown is proved, the rest takes verify',
  usage: 'DIR [--last N] [OPTIONS]',
  options: {
    last: { type: 'string', value: 'N', help: `how many records of the newest epoch (default: ${DEFAULT_LAST})` },
    ...PIN_OPTIONS,
  },
  examples: ['ghostpipe-audit show ./audit', 'ghostpipe-audit show ./audit --last 100 --json'],
  maxPositionals: 1,
  couldNotRun: ['log-missing'],
};

export function show(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const last = integerOption(args, 'last', 0, MAX_LAST) ?? DEFAULT_LAST;
    const epochs = openEpochs(engine, folderArgument(args), logPinOption(args), unsealOption(args));
    const newest = newestOf(epochs);
    const { size } = newestHead(newest);
    const events = Array.from({ length: Math.min(last, size) }, (_, i) => size - Math.min(last, size) + i).map(
      (index) => provenRecord(engine, newest, index).event,
    );
    if (args.flag('json')) {
      printJson({ ok: true, epochs: epochs.map(epochJson), newest: newest.origin, records: events });
    } else {
      const lines = [...epochs.flatMap(epochLines), `Last records of ${newest.origin}:`, ...events.map(recordLine)];
      process.stdout.write(`${lines.join('\n')}\n`);
    }
    return EXIT.ok;
  });
}

/** The epoch that no other one follows; of several, the one at the root of the export. */
export function newestOf(epochs: readonly SignedEpoch[]): SignedEpoch {
  const followed = new Set(epochs.map(({ event: { obj } }) => (obj.prev.source === 'none' ? '' : obj.prev.origin)));
  const last = epochs.filter(({ origin }) => !followed.has(origin));
  return last.find(({ place }) => place.at === '') ?? last.at(-1) ?? epochs.at(-1)!;
}

function epochJson({ origin, id, place, event, heads }: SignedEpoch): object {
  const list = heads.map(({ size, root, seconds }) => ({ size, root: toBase64(root), seconds }));
  return {
    at: place.at,
    origin,
    id,
    openedMs: event.t,
    prev: event.obj.prev,
    software: event.obj.software,
    heads: list,
  };
}

function epochLines({ origin, place, event, heads }: SignedEpoch): string[] {
  const { prev, software } = event.obj;
  const before = prev.source === 'none' ? 'nothing that it knew of' : `${prev.origin}, ${prev.tailSize} leaves`;
  return [
    `Epoch ${origin} in ${place.at || 'the root'}: relay ${software}, after ${before}; ${heads.length} heads`,
    ...heads
      .slice(-HEADS_SHOWN)
      .map(
        ({ size, root, seconds }) => `  ${new Date(seconds * 1000).toISOString()}  ${size} leaves  ${toBase64(root)}`,
      ),
  ];
}
