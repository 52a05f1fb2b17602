/** The audit log: leaves, tiles, notes, checkpoints, proofs and receipts, as anybody may hand them to a verifier. */
import { isUtf8 } from 'node:buffer';
import { formatAddCheckpoint, parseAddCheckpoint } from '../../../protocol/add-checkpoint.ts';
import { concat, utf8 } from '../../../protocol/bytes.ts';
import { formatHead, parseHead, verifyCheckpoint } from '../../../protocol/checkpoint.ts';
import { nativeEngine as engine } from '../../../protocol/engine/native.ts';
import { verifyEpoch } from '../../../protocol/epoch.ts';
import { committed, encodeSegmentHeader, FrameChain, parseSegment } from '../../../protocol/journal-segment.ts';
import { LOG_RECEIPT_BYTES, parseLogReceipt, signLogReceipt, verifyLogReceipt } from '../../../protocol/log-receipt.ts';
import { encodeLogRecord, parseLogRecord } from '../../../protocol/log-record.ts';
import { consistencyProof, inclusionProof, leafHash } from '../../../protocol/merkle.ts';
import { formatNote, formatSignatures, parseNote, parseSignatures } from '../../../protocol/note.ts';
import { formatVerifierKey, parseVerifierKey } from '../../../protocol/note-key.ts';
import { Problem } from '../../../protocol/problem.ts';
import { encodeBundle, parseBundle, parseTilePath, tilePath } from '../../../protocol/tile.ts';
import { formatTlogProof, parseTlogProof, verifyTlogProof } from '../../../protocol/tlog-proof.ts';
import { segmentOf } from '../../fixtures/journal.ts';
import {
  checkpointOf,
  headOf,
  logKeys,
  logPinOf,
  logRecords,
  logSigners,
  ORIGIN,
  recordFields,
  treeOf,
} from '../../fixtures/log.ts';
import { logEvents } from '../../fixtures/log-events.ts';
import { bytesMutator } from '../mutate-bytes.ts';
import { jsonMutator } from '../mutate-json.ts';
import { requireSame, type Target } from '../target.ts';

const signers = logSigners(engine, 'fuzzed');
const keys = logKeys(signers);
const records = logRecords(engine, signers, 11);
const tree = treeOf(engine, records);
const head = headOf(tree);
const checkpoint = checkpointOf(engine, tree, signers);
const note = parseNote(checkpoint);
const leaf = leafHash(engine, records[6]!);
const proof = { extra: records[6]!, index: 6, hashes: inclusionProof(engine, tree.read, 6, 11), checkpoint };
const growth = { oldSize: 5, hashes: consistencyProof(engine, tree.read, 5, 11), checkpoint };
const receipt = signLogReceipt(engine, signers['ml-dsa-44'], {
  originHash: engine.sha256(utf8(ORIGIN)),
  transferId: engine.sha256().subarray(0, 16),
  index: 6,
  leafHash: leaf,
  timeMs: recordFields(6).t,
  mode: 'required',
  withinSeconds: 60,
});

const journal = segmentOf(engine, signers, [
  [0, 1].map((index) => ({ kind: 'record', index, payload: records[index]! })),
  [
    { kind: 'record', index: 2, payload: records[2]! },
    { kind: 'head', index: 2, payload: checkpoint },
  ],
]);

const bytes = bytesMutator();
const lines = bytesMutator(['\n', '\n\n', '— ', ' ', '+', '=', '0', 'AAAAAAAA', '\ufeff', '\u2003', '\r', '\0']);
const path = bytesMutator(['tile/', 'entries/', '/', 'x', '000', '001', '999', '.p/', '255', '256'], 200);

/** A target that gives back what it read. */
function reading(name: string, seeds: Uint8Array[], mutate = lines) {
  return (again: (input: Uint8Array) => Uint8Array): Target => ({
    name,
    seeds,
    mutate,
    run: (input) => requireSame(again(input), input, name),
  });
}

/** Text parsers get text: what is no UTF-8 was refused before them. */
function text(input: Uint8Array): string {
  if (isUtf8(input)) return Buffer.from(input).toString('utf8');
  throw new Problem('log-note-invalid', 'the input is not UTF-8');
}

export function logTargets(): Target[] {
  const paths = ['tile/0/x001/234.p/7', 'tile/entries/000', 'tile/6/000.p/31'].map(utf8);
  const verifierKeys = Object.values(signers).map(({ algorithm, publicKey }) =>
    utf8(formatVerifierKey(engine, { name: ORIGIN, algorithm, publicKey })),
  );
  const leaves = [...logEvents().map(encodeLogRecord), ...records];
  return [
    reading('log-record', leaves, jsonMutator)((input) => encodeLogRecord(parseLogRecord(input))),
    reading('tile-path', paths, path)((input) => utf8(tilePath(parseTilePath(text(input))))),
    reading('bundle', [encodeBundle(records.slice(1, 4))], bytes)((input) => encodeBundle(parseBundle(input, 3))),
    reading('note', [checkpoint])((input) => formatNote(parseNote(input))),
    reading('note-lines', [utf8(formatSignatures(note.signatures))])((input) =>
      utf8(formatSignatures(parseSignatures(input))),
    ),
    reading(
      'verifier-key',
      verifierKeys,
    )((input) => utf8(formatVerifierKey(engine, parseVerifierKey(engine, text(input))))),
    reading('head', [utf8(formatHead(head))])((input) => utf8(formatHead(parseHead(text(input))))),
    reading('tlog-proof', [formatTlogProof(proof)])((input) => formatTlogProof(parseTlogProof(input))),
    reading('add-checkpoint', [formatAddCheckpoint(growth)])((input) => formatAddCheckpoint(parseAddCheckpoint(input))),
    reading(
      'log-receipt',
      [receipt],
      bytes,
    )((input) => {
      const parsed = parseLogReceipt(input);
      const unsigned = signLogReceipt(engine, { ...signers.ed25519, sign: () => new Uint8Array(0) }, parsed);
      return concat(unsigned.subarray(0, LOG_RECEIPT_BYTES - 2420), input.subarray(LOG_RECEIPT_BYTES - 2420));
    }),
    reading(
      'log-receipt-signed',
      [receipt],
      bytes,
    )((input) => {
      verifyLogReceipt(engine, input, ORIGIN, keys['ml-dsa-44']);
      return receipt;
    }),
    reading(
      'epoch-signed',
      [records[0]!],
      jsonMutator,
    )((input) => {
      verifyEpoch(engine, input, logPinOf(signers));
      return records[0]!;
    }),
    { name: 'journal-segment', seeds: [journal], mutate: bytes, run: runSegment },
    { name: 'checkpoint-signed', seeds: [checkpoint], mutate: lines, run: runCheckpoint },
    { name: 'tlog-proof-signed', seeds: [formatTlogProof(proof)], mutate: lines, run: runProof },
  ];
}

/** What was read is written as it was; what counts was signed, so it is the beginning of the true journal. */
function runSegment(input: Uint8Array): void {
  const segment = parseSegment(engine, input);
  const header = encodeSegmentHeader(segment.header);
  const chain = new FrameChain(engine, header);
  const written = [header];
  let next = 0;
  for (const { items, below, signature } of segment.commits) {
    for (const item of segment.items.slice(next, items)) written.push(chain.add(item));
    written.push(chain.commit(below, signature));
    next = items;
  }
  for (const item of segment.items.slice(next)) written.push(chain.add(item));
  requireSame(concat(...written), input.subarray(0, segment.end), 'journal-segment');
  const { items = [] } = committed(engine, keys, segment) ?? {};
  for (const [i, { payload }] of items.entries()) {
    requireSame(payload, i < 3 ? records[i]! : checkpoint, 'signed item');
  }
}

/** Lines by strangers may be added; the text may not change. */
function runCheckpoint(input: Uint8Array): void {
  const verified = verifyCheckpoint(engine, input, ORIGIN, keys);
  requireSame(utf8(verified.note.text), utf8(note.text), 'checkpoint');
  requireSame(utf8(formatHead(verified.head)), utf8(note.text), 'head');
}

/** What nobody signed may change: the extra data and lines by strangers. The proof may not. */
function runProof(input: Uint8Array): void {
  const parsed = parseTlogProof(input);
  const { head: verified } = verifyTlogProof(engine, parsed, leaf, ORIGIN, keys);
  requireSame(utf8(formatHead(verified)), utf8(note.text), 'head');
  requireSame(concat(...parsed.hashes), concat(...proof.hashes), 'hashes');
  requireSame(utf8(`${parsed.index}`), utf8(`${proof.index}`), 'index');
}
