/** A relay that lies about its audit log: the sender names it, and no reading is let go, or kept, because of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { equalBytes, utf8 } from '../../protocol/bytes.ts';
import type { ControlItem } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { parseLogEvidence } from '../../protocol/log-evidence.ts';
import { until } from '../fixtures/clients.ts';
import { type LogLies, LyingLog } from '../fixtures/lying-log.ts';
import { accepted, type Lies, TRANSFER_ID } from '../fixtures/lying-relay.ts';
import { each, type Known, scene, stopped } from '../fixtures/lying-scene.ts';
import { seedOf } from '../fixtures/site.ts';

t.setTimeout(120_000);

const FILE = ['--file', import.meta.filename, '--once'];

/** What the relay does otherwise than one that keeps its promises. */
interface Shows {
  readonly epoch?: readonly ControlItem[];
  readonly proof?: () => readonly ControlItem[];
  readonly accept?: (block: Buffer) => readonly ControlItem[];
}

/** A relay that shows this log: the statement beside the first block, then a proof beside each. */
function showing(log: LyingLog, { sender }: Known, shows: Shows = {}): Lies {
  const { epoch = [log.epoch()], proof = () => log.proof(), accept = (block) => log.accept(block, sender) } = shows;
  return { inbound: (block, before) => accepted(...accept(block), ...(before === 0 ? epoch : proof())) };
}

t.test('receipts that a signed head keeps are verified, proved and kept as files', async (t) => {
  const log = new LyingLog();
  const stage = await scene(t, (known) => showing(log, known));
  const folder = join(stage.state, 'receipts');
  const sender = stage.start('sender', [...FILE, '--log-receipts', folder]);
  await until('proofs', () => stage.relay.heard.inbound.length >= 5, sender.stderr);
  const summary = await stopped(sender);
  t.match(summary, { logReceiptsMissing: 0, logReceiptsRefused: 0, logReceiptsUnproved: 0 }, sender.stderr());
  t.ok(Number(summary.logReceiptsProved) >= 2);
  t.equal(summary.logReceiptsContradicted, 0);
  const names = readdirSync(folder).sort();
  const kept = names.filter((name) => name.endsWith('.log-receipt'));
  t.equal(kept.length, summary.logReceipts);
  t.equal(names.filter((name) => name.endsWith('.log-epoch')).length, 1);
  const evidence = parseLogEvidence(readFileSync(join(folder, kept[0]!)));
  t.ok(equalBytes(evidence.blockSha256, engine.sha256(stage.relay.heard.inbound[0]!)));
  t.match(sender.stderr(), /^((?!log-receipt).)*$/s, 'nothing to complain of');
});

t.test('a receipt that is not what the relay owes is refused, and named', async (t) => {
  const other = engine.singleKey('ml-dsa-44', seedOf('another epoch key'));
  const logKey = engine.singleKey('ml-dsa-65', seedOf('another log key'));
  const lies: Record<string, LogLies & { readonly says: string | RegExp }> = {
    'of another block': { obj: { c: Buffer.from(seedOf('c')).toString('base64url') }, says: 'about another block' },
    'with another salt': { salt: seedOf('another salt'), says: 'about another block' },
    'by a foreign key': { receiptKey: other, says: 'the signature of the epoch key does not verify' },
    'of an epoch by a foreign key': { logKey, says: '[log-epoch-invalid]' },
    'of another transfer': { receipt: { transferId: seedOf('y').subarray(0, 16) }, says: 'for another transfer' },
    'whose record is of another transfer': { obj: { x: 'ab'.repeat(16) }, says: /its record for (ab){16}/ },
    'of another sender': { says: 'is about a block of did:paramant:' },
    'of another record': { receipt: { leafHash: seedOf('leaf') }, says: 'about another log record' },
    'of another index': { receipt: { index: 7000 }, says: 'says index 7000' },
    'of another time': { receipt: { timeMs: 7 }, says: 'says index 1 at 7' },
    'that takes too long': { receipt: { withinSeconds: 61 }, says: 'within 61 s, not 60 s' },
  };
  await each(lies, async (name, { says, ...lie }) => {
    const stage = await scene(t, (known) => {
      const source = { src: { id: known.receiver.did, k: 'device' } } as const;
      return showing(new LyingLog(name === 'of another sender' ? { record: source } : lie), known);
    });
    const sender = stage.start('sender');
    await until('the lie to be named', () => matches(sender.stderr(), says), sender.stderr);
    const summary = await stopped(sender);
    t.match(summary, { delivered: 0, undelivered: 1, logReceipts: 0, logReceiptsProved: 0 }, name);
    t.ok(Number(summary.logReceiptsRefused) >= 1, name);
    t.match(sender.stderr(), /\[log-(receipt|epoch)-invalid\]/, name);
  });
});

t.test('a promise that the log does not keep is named', async (t) => {
  const kinds: Record<string, { readonly code: string; readonly counter: string; readonly lies: (k: Known) => Lies }> =
    {
      'no receipt at all': { code: 'log-receipt-missing', counter: 'logReceiptsMissing', lies: () => ({}) },
      'half of one': {
        code: 'log-receipt-missing',
        counter: 'logReceiptsMissing',
        lies: (known) => {
          const log = new LyingLog();
          const accept = (block: Buffer) => log.accept(block, known.sender).filter(({ type }) => type !== 'logRecord');
          return showing(log, known, { accept });
        },
      },
      'no proof': {
        code: 'log-receipt-unproved',
        counter: 'logReceiptsUnproved',
        lies: (known) => showing(new LyingLog(), known, { proof: () => [] }),
      },
      'no epoch': {
        code: 'log-receipt-unproved',
        counter: 'logReceiptsUnproved',
        lies: (known) => showing(new LyingLog(), known, { epoch: [] }),
      },
      'a head of before it': {
        code: 'log-receipt-unproved',
        counter: 'logReceiptsUnproved',
        lies: (known) => {
          const log = new LyingLog();
          return showing(log, known, { accept: (block) => log.accept(block, known.sender, true) });
        },
      },
      'a head of after it that lacks the record': {
        code: 'log-receipt-contradicted',
        counter: 'logReceiptsContradicted',
        lies: (known) => {
          const log = new LyingLog();
          const accept = (block: Buffer) => {
            const items = log.accept(block, known.sender, true);
            log.append(utf8('something else'));
            return items;
          };
          return showing(log, known, { accept });
        },
      },
      'noise for a proof': {
        code: 'log-receipt-unproved',
        counter: 'logReceiptsUnproved',
        lies: (known) => showing(new LyingLog(), known, { proof: () => [noise('logProof')] }),
      },
      'noise for the tail': {
        code: 'log-receipt-unproved',
        counter: 'logReceiptsUnproved',
        lies: (known) => showing(new LyingLog(), known, { proof: () => [noise('logTail')] }),
      },
    };
  await each(kinds, async (name, { code, counter, lies }) => {
    const stage = await scene(t, lies);
    const folder = join(stage.state, 'receipts');
    const sender = stage.start('sender', [...FILE, '--log-receipts', folder]);
    await until('the lie to be named', () => sender.stderr().includes(`[${code}]`), sender.stderr);
    const summary = await stopped(sender);
    t.match(summary, { delivered: 0, undelivered: 1, logReceiptsProved: 0, logReceiptsRefused: 0 }, name);
    t.ok(Number(summary[counter]) >= 1, name);
    const evidence = readdirSync(folder).filter((file) => file.endsWith('.log-proof'));
    t.equal(evidence.length > 0, code === 'log-receipt-contradicted', 'a proof against the relay is kept');
    t.notMatch(sender.stderr(), '[internal]', name);
  });
});

function noise(type: 'logProof' | 'logTail'): ControlItem {
  return { type, transferId: TRANSFER_ID, bytes: engine.random(900) };
}

function matches(text: string, wanted: string | RegExp): boolean {
  return typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text);
}
