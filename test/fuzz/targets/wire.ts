/** Binary layouts: what stands in blocks, in frames, in control frames and in receipts. */
import { headerBytes, parseHeader, writeFixedHeader, writeStanza } from '../../../protocol/block.ts';
import { ByteReader, concat } from '../../../protocol/bytes.ts';
import { decode, encode } from '../../../protocol/codec.ts';
import { CONTROL_BYTES, encodeControl, parseControl } from '../../../protocol/control.ts';
import type { SigningKey } from '../../../protocol/engine/engine.ts';
import { nativeEngine as engine } from '../../../protocol/engine/native.ts';
import { FRAME_OVERHEAD_BYTES, MAX_PLAIN_BYTES, parseFrame, writeFrame } from '../../../protocol/frame.ts';
import {
  encodeFileChunk,
  encodeIdle,
  encodeRecords,
  parseFileChunk,
  parseIdle,
  parseRecords,
} from '../../../protocol/payload.ts';
import { Problem } from '../../../protocol/problem.ts';
import {
  type DeliveryReceipt,
  parseReceipt,
  RECEIPT_BYTES,
  signReceipt,
  verifyReceipt,
} from '../../../protocol/receipt.ts';
import { REJECT_CODES } from '../../../protocol/reject.ts';
import { frameFieldsOf, party, sealed, sealOptions, seed } from '../../fixtures/protocol.ts';
import { bytesMutator } from '../mutate-bytes.ts';
import { padded, requireSame, type Target } from '../target.ts';

const [sender, one, two] = [party(engine, 'sender'), party(engine, 'one'), party(engine, 'two')];
const mutate = bytesMutator();
const id = (name: string) => seed(name).subarray(0, 16);

/** What the signature covers of a receipt. */
const RECEIPT_SIGNED_BYTES = 454;
const FIRST_RECORD = 4;

export function wireTargets(): Target[] {
  return [
    { name: 'header', seeds: headers(), mutate, run: runHeader },
    { name: 'frame', seeds: frames(), mutate, run: runFrame },
    { name: 'records', seeds: recordBatches(), mutate, run: runRecords },
    { name: 'idle', seeds: [encodeIdle(IDLE)], mutate, run: runIdle },
    { name: 'file-chunk', seeds: fileChunks(), mutate, run: runFileChunk },
    { name: 'zstd', seeds: compressed(), mutate, run: runZstd },
    { name: 'control', seeds: controls(), mutate, run: runControl },
    { name: 'receipt', seeds: receipts(), mutate, run: runReceipt },
    { name: 'receipt-signed', seeds: receipts(), mutate, run: runSignedReceipt },
  ];
}

function headers(): Uint8Array[] {
  return [[one], [one, two]].map((readers) => {
    const block = sealed(engine, sealOptions(sender, readers, new Uint8Array(1)));
    return block.slice(0, headerBytes(readers.length));
  });
}

function runHeader(input: Uint8Array): void {
  const { stanzas, commit, ...fixed } = parseHeader(input);
  const again = new Uint8Array(headerBytes(stanzas.length));
  writeFixedHeader(again, fixed);
  for (const [i, stanza] of stanzas.entries()) writeStanza(again, i, stanza);
  again.set(commit, again.length - commit.length);
  requireSame(again, input.subarray(0, again.length), 'header');
}

function frames(): Uint8Array[] {
  const frame = new Uint8Array(FRAME_OVERHEAD_BYTES + 300);
  writeFrame(frame, frameFieldsOf(sender, [one]), Buffer.from('abcde'));
  const chunk = new Uint8Array(FRAME_OVERHEAD_BYTES + 9);
  const group = { id: id('file'), index: 1, count: 3, wholeSha256: seed('whole') };
  writeFrame(
    chunk,
    { ...frameFieldsOf(sender, [one]), type: 'fileChunk', codec: 'zstd', plainBytes: 70_000, group },
    Buffer.from('nine byte'),
  );
  return [frame, chunk];
}

function runFrame(input: Uint8Array): void {
  const { data, signatures, ...fields } = parseFrame(input);
  const again = new Uint8Array(input.length);
  writeFrame(again, fields, data);
  again.set(signatures, again.length - signatures.length);
  requireSame(again, input, 'frame');
}

function recordBatches(): Uint8Array[] {
  const record = (seq: number, text: string) => ({
    seq,
    wallTimeMs: 1_700_000_000_000 + seq,
    bytes: Buffer.from(text),
  });
  return [
    encodeRecords([record(4, 'one')]),
    encodeRecords([record(4, 'one'), record(9, ''), record(10, 'temperature=21.5')]),
  ].map((batch, i) => concat(Uint8Array.of(i === 0 ? 1 : 3), batch));
}

/** The first byte of an input is the number of records that the frame announces, 255 stands for far more. */
function runRecords(input: Uint8Array): void {
  const count = input[0] === 255 ? 0xffff_ffff : (input[0] ?? 0);
  const batch = input.subarray(1);
  requireSame(encodeRecords(parseRecords(batch, FIRST_RECORD, count)), batch, 'records');
}

const IDLE = { sourceState: 'silent', backlogRecords: 7, backlogAgeMs: 60_000 } as const;

function runIdle(input: Uint8Array): void {
  requireSame(encodeIdle(parseIdle(input)), input, 'idle report');
}

function fileChunks(): Uint8Array[] {
  return [
    encodeFileChunk({ name: 'é.csv', bytes: Buffer.from('a;b;c') }),
    encodeFileChunk({ name: 'x', bytes: Buffer.alloc(0) }),
  ];
}

function runFileChunk(input: Uint8Array): void {
  requireSame(encodeFileChunk(parseFileChunk(input)), input, 'file chunk');
}

function compressed(): Uint8Array[] {
  const texts = ['temperature=21.5;'.repeat(40), 'a'.repeat(70_000)];
  return texts.map((text) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    return concat(length, encode(Buffer.from(text), 0).data);
  });
}

/** The first four bytes of an input are the length that the frame announces; a frame refuses what is too long. */
function runZstd(input: Uint8Array): void {
  const reader = new ByteReader(input, 'payload-invalid');
  const length = reader.u32();
  if (length > MAX_PLAIN_BYTES) throw new Problem('frame-invalid', 'too long for any frame');
  decode('zstd', reader.bytes(reader.left), length);
}

function controls(): Uint8Array[] {
  const transferId = id('transfer');
  const said = encodeControl([
    { type: 'session', sessionId: transferId, maxLeases: 4 },
    { type: 'ack', transferId, ackSecret: seed('ack') },
    { type: 'reject', transferId, code: 'replay' },
  ]);
  const answered = encodeControl([
    { type: 'epoch', epochId: id('epoch') },
    { type: 'accepted', transferId, repeated: true },
    { type: 'lease', transferId, blockSha256: seed('hash'), attempt: 1, leaseMs: 60_000 },
    { type: 'cover' },
    { type: 'status', transferId, state: 'delivered' },
    { type: 'problem', transferId, code: 'not-available' },
    { type: 'rosterPiece', version: 1, offset: 0, total: 9, bytes: seed('piece') },
  ]);
  const carried = encodeControl([{ type: 'receipt', bytes: receipts(sender.signer)[0]! }]);
  return [said.slice(0, 100), answered.slice(0, 300), carried.slice(0, 4000)];
}

/** An input is the front of a frame; zeros follow. Items of unknown types are skipped, all others and the rest are kept. */
function runControl(input: Uint8Array): void {
  const frame = input.length < CONTROL_BYTES ? padded(input, CONTROL_BYTES) : input;
  requireSame(encodeControl(parseControl(frame)), withoutUnknownItems(frame), 'control frame');
}

/** All types of items up to this one are known. */
const NEWEST_ITEM = 21;

function withoutUnknownItems(frame: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = [frame.subarray(0, 4)];
  let at = 4;
  while (at < frame.length && frame[at] !== 0) {
    const end = at + 3 + frame[at + 1]! * 256 + frame[at + 2]!;
    if (frame[at]! <= NEWEST_ITEM) kept.push(frame.subarray(at, end));
    at = end;
  }
  return padded(concat(...kept, frame.subarray(at)), CONTROL_BYTES);
}

const UNSIGNED: SigningKey = {
  publicKeys: sender.signer.publicKeys,
  sign: () => new Uint8Array(RECEIPT_BYTES - RECEIPT_SIGNED_BYTES),
};

function receipts(signer = UNSIGNED): Uint8Array[] {
  const receipt: DeliveryReceipt = {
    receiverDigest: one.digest,
    senderDigest: sender.digest,
    streamId: id('stream'),
    run: id('run'),
    serial: 1,
    nextRecord: 5,
    ranges: [],
    rejects: [],
  };
  const ranges = Array.from({ length: 16 }, (_, i) => ({ first: 7 + 5 * i, count: 2 }));
  const rejects = REJECT_CODES.map((code, blockSeq) => ({ blockSeq, code }));
  const all = [
    receipt,
    { ...receipt, ranges: ranges.slice(0, 2), rejects: rejects.slice(0, 1) },
    { ...receipt, ranges, rejects },
  ];
  const bytes = all.map((each) => signReceipt(engine, signer, each));
  return signer === UNSIGNED ? bytes.map((each) => each.slice(0, RECEIPT_SIGNED_BYTES)) : bytes;
}

/** An input is the part that is signed; signatures of zeros follow. */
function runReceipt(input: Uint8Array): void {
  const bytes = concat(input, UNSIGNED.sign('', input));
  requireSame(signReceipt(engine, UNSIGNED, parseReceipt(bytes)), bytes, 'receipt');
}

/** The same, signed by the receiver. */
function runSignedReceipt(input: Uint8Array): void {
  const body = padded(input, RECEIPT_SIGNED_BYTES);
  const label = 'ghostpipe/delivery-receipt/v1';
  const signatures = one.signer.sign(label, engine.sha256(Buffer.from(label), body));
  verifyReceipt(engine, concat(body, signatures), one.signer.publicKeys);
}
