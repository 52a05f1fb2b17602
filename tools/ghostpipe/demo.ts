/** `npm run demo`: real readings of this machine through the whole path, drawn live, with a summary. */
import { DEFAULT_BLOCK_BYTES } from '../../protocol/block.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { toHex } from '../../protocol/text.ts';
import { type CommandSpec, EXIT, numberOption, printJson, runCommand } from '../lib/command.ts';
import { listenForStop } from '../lib/stop.ts';
import { type DemoExport, refuseUsedFolder } from './demo-export.ts';
import { type DemoResult, runDemo } from './demo-run.ts';
import { DemoView } from './demo-view.ts';

const SLOTS = 16;

const SPEC: CommandSpec = {
  name: 'ghostpipe demo',
  summary:
    "carry this machine's counters from a sender through a relay to a receiver, and look into the relay's memory",
  usage: '[--seconds N] [--interval SECONDS] [--export DIR] [--json]',
  options: {
    seconds: { type: 'string', value: 'N', help: 'how long readings go in (default: 60)' },
    export: { type: 'string', value: 'DIR', help: "leave an export of the run's audit log in this folder" },
    interval: { type: 'string', value: 'SECONDS', help: 'one block in this time (default: 1)' },
  },
  examples: ['npm run demo', 'npm run demo -- --seconds 10 --json', 'npm run demo -- --seconds 70 --export ./audit'],
};

export function main(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const exportTo = args.text('export');
    if (exportTo !== undefined) refuseUsedFolder(exportTo);
    const stop = listenForStop();
    const json = args.flag('json');
    const view = new DemoView(json ? process.stderr : process.stdout);
    try {
      const result = await runDemo({
        seconds: Math.trunc(numberOption(args, 'seconds', 3, 86_400) ?? 60),
        intervalMs: Math.round((numberOption(args, 'interval', 0.2, 60) ?? 1) * 1000),
        blockSize: DEFAULT_BLOCK_BYTES,
        slots: SLOTS,
        ...(exportTo === undefined ? {} : { exportTo }),
        canary: `canary-${toHex(nativeEngine.random(16))}`,
        onScene: (scene) => view.show(scene),
        onNotice: (line) => view.note(line),
        stop: stop.asked,
      });
      if (!result) return EXIT.failed;
      if (json) printJson(result);
      else process.stdout.write(summary(result));
      return isClean(result) ? EXIT.ok : EXIT.failed;
    } finally {
      stop.dispose();
    }
  });
}

/** Nothing lost, and nothing readable seen; a search that was not possible is no failure, and the summary says so. */
export function isClean({ lost, plaintextSeenByRelay, control }: DemoResult): boolean {
  return lost === 0 && (plaintextSeenByRelay ?? 0) === 0 && control !== false;
}

/** The result in sentences. */
export function summary(result: DemoResult): string {
  const { readingsIn, readingsOut, lost, blocks, covers, burned, plaintextSeenByRelay, control, exported } = result;
  return [
    '',
    `${readingsIn} readings went in, ${readingsOut} came out, ${lost} were lost.`,
    `${blocks} blocks of equal size passed, ${burned} were burned; ${covers} covers filled the gaps.`,
    searchSentence(plaintextSeenByRelay, control),
    ...(exported ? exportSentences(exported) : []),
    '',
  ].join('\n');
}

function searchSentence(seen: number | null, control: boolean | null): string {
  if (seen === null) return "The relay's memory was not searched: this user may not read the memory of its processes.";
  const found = seen === 0 ? 'Nothing readable was' : `${seen} of the things looked for were`;
  const proof = control ? 'the same search found the canary in the sender' : 'but the control search failed';
  return `${found} found in the relay's memory (canary, content keys, device seeds); ${proof}.`;
}

function exportSentences({ folder, logPin, records, heads }: DemoExport): string[] {
  return [
    `The audit log of this run is in ${folder}: ${records} log records under ${heads} signed heads. To verify it:`,
    `  ./bin/ghostpipe-audit verify ${folder} --log-key ${logPin}`,
  ];
}
