/** `ghostpipe-audit prove`: one record with its proof in a file that needs neither export nor network. */
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { leafHash } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { fromDecimal } from '../../protocol/text.ts';
import { parseTlogProof, verifyTlogProof } from '../../protocol/tlog-proof.ts';
import { type Arguments, type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { writeFileAtomic } from '../lib/files.ts';
import { EPOCH_ID } from './layout.ts';
import { logPinOption, PIN_OPTIONS } from './pin-option.ts';
import { newestHead, openEpochs, proofFileOf, provenRecord } from './proven.ts';
import { recordLine } from './record-text.ts';
import { newestOf } from './show.ts';
import type { SignedEpoch } from './signed-epoch.ts';
import { unsealOption } from './unseal-option.ts';
import { folderArgument } from './verify.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit prove',
  summary: 'write a record of an export with the proof that it is under the newest head (C2SP tlog-proof)',
  usage: 'DIR INDEX [--epoch ID] [--out FILE] [OPTIONS]',
  options: {
    epoch: { type: 'string', value: 'ID', help: 'the 32 digits at the end of its origin (default: the newest)' },
    out: { type: 'string', value: 'FILE', help: 'where to write (default: INDEX.tlog-proof)' },
    ...PIN_OPTIONS,
  },
  examples: ['ghostpipe-audit prove ./audit 1234', 'ghostpipe-audit prove ./audit 7 --out evidence.tlog-proof'],
  maxPositionals: 2,
  couldNotRun: ['log-missing'],
};

export function prove(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const folder = folderArgument(args);
    const index = indexArgument(args);
    const epoch = epochOption(args, openEpochs(engine, folder, logPinOption(args), unsealOption(args)));
    const record = provenRecord(engine, epoch, index);
    const proof = proofFileOf(epoch, record);
    // As whoever is given the file will check it.
    verifyTlogProof(engine, parseTlogProof(proof), leafHash(engine, record.bytes), epoch.origin, epoch.keys);
    const out = args.text('out') ?? `${index}.tlog-proof`;
    writeFileAtomic(out, proof, 0o644);
    const { origin } = epoch;
    if (args.flag('json'))
      printJson({ ok: true, out, origin, index, size: newestHead(epoch).size, record: record.event });
    else
      process.stdout.write(
        `${recordLine(record.event)}\n${out} proves it under the head of size ${newestHead(epoch).size}\n`,
      );
    return EXIT.ok;
  });
}

function indexArgument({ positionals: [, text] }: Arguments): number {
  try {
    return fromDecimal(text ?? '');
  } catch {
    throw new Problem('usage', 'INDEX must be the number of a leaf, as search and show print it first in each line');
  }
}

function epochOption(args: Arguments, epochs: readonly SignedEpoch[]): SignedEpoch {
  const id = args.text('epoch');
  if (id === undefined) return newestOf(epochs);
  const epoch = EPOCH_ID.test(id) ? epochs.find((each) => each.id === id) : undefined;
  if (!epoch) throw new Problem('usage', `--epoch must be one of ${epochs.map((each) => each.id).join(', ')}`);
  return epoch;
}
