/** Whole blocks as a receiver meets them: changed on the way, and forged by a sender that has all its keys. */
import { zstdCompressSync } from 'node:zlib';
import { headerBytes } from '../../../protocol/block.ts';
import { concat } from '../../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../../protocol/engine/native.ts';
import { openBlock } from '../../../protocol/envelope.ts';
import { FRAME_FIELDS_BYTES, signedPart, writeFrame } from '../../../protocol/frame.ts';
import {
  encodeFileChunk,
  encodeIdle,
  encodeRecords,
  parseFileChunk,
  parseIdle,
  parseRecords,
} from '../../../protocol/payload.ts';
import { encodeRecord, parseRecord, RECORD_BYTES } from '../../../relay/store/slot-record.ts';
import type { View } from '../../../relay/store/transfer.ts';
import { assemble, signFrame } from '../../fixtures/attacker.ts';
import { frameFieldsOf, party, readerOf, sealed, sealOptions, seed } from '../../fixtures/protocol.ts';
import { bytesMutator } from '../mutate-bytes.ts';
import { type Mutator, padded, requireSame, type Target } from '../target.ts';

const [sender, one, two] = [party(engine, 'sender'), party(engine, 'one'), party(engine, 'two')];
const mutate = bytesMutator();
const IDLE = { sourceState: 'ok', backlogRecords: 1, backlogAgeMs: 2 } as const;
const HASH_BYTES = 32;
const FRONT_BYTES = headerBytes(2) + 300;

export function blockTargets(): Target[] {
  return [
    { name: 'block', seeds: blocks(), mutate: mutateFront, run: runBlock },
    { name: 'block-forged', seeds: forgedFrames(), mutate, run: runForged },
    { name: 'slot-record', seeds: slotRecords(), mutate, run: runSlotRecord },
    { name: 'keys', seeds: [keyMaterial()], mutate, run: runKeys },
  ];
}

function blocks(): Uint8Array[] {
  return [[one], [one, two]].map((readers) => {
    const options = sealOptions(sender, readers, encodeIdle(IDLE));
    return sealed(engine, { ...options, fields: { ...options.fields, type: 'idle' } });
  });
}

/** Nearly all of a block is ciphertext; changes belong where the header is. */
const mutateFront: Mutator = (random, input, other) => {
  const front = mutate(random, input.subarray(0, FRONT_BYTES), other.subarray(0, FRONT_BYTES));
  const whole = concat(front, input.subarray(FRONT_BYTES));
  return random.once(8) ? mutate(random, whole, other) : whole;
};

function runBlock(input: Uint8Array): void {
  openAndParse(input.slice());
}

/** Inputs are the front of a frame: fields and data. Zeros, true signatures and a true envelope are put around it. */
function forgedFrames(): Uint8Array[] {
  const fields = frameFieldsOf(sender, [one]);
  const texts: [Partial<typeof fields>, Uint8Array][] = [
    [
      { type: 'records', firstRecord: 4, recordCount: 2 },
      encodeRecords([
        { seq: 4, wallTimeMs: 5, bytes: Buffer.from('one') },
        { seq: 9, wallTimeMs: 6, bytes: Buffer.from('two') },
      ]),
    ],
    [{ type: 'idle' }, encodeIdle(IDLE)],
    [{ type: 'fileChunk' }, encodeFileChunk({ name: 'é.csv', bytes: Buffer.from('x') })],
    [{ type: 'idle', codec: 'zstd', plainBytes: 13 }, zstdCompressSync(new Uint8Array(13))],
  ];
  return texts.map(([changes, data]) => {
    const frame = new Uint8Array(4000);
    writeFrame(frame, { ...fields, plainBytes: data.length, ...changes }, data);
    return frame.slice(0, FRAME_FIELDS_BYTES + data.length);
  });
}

function runForged(input: Uint8Array): void {
  const contentKey = seed('content key');
  const block = assemble(engine, {
    stanzas: [{ reader: one, contentKey }],
    committed: contentKey,
    encrypted: contentKey,
    ackSeed: seed('ack seed'),
    frame(header, frame) {
      frame.set(padded(input, signedPart(frame).length));
      signFrame(engine, sender.signer, header, frame);
    },
  });
  openAndParse(block);
}

/** Opens a block and reads what is in it, as a receiver does. */
function openAndParse(block: Uint8Array): void {
  const { frame, plain } = openBlock(engine, block, readerOf(one, sender));
  if (frame.type === 'records') parseRecords(plain, frame.firstRecord, frame.recordCount);
  if (frame.type === 'idle') parseIdle(plain);
  if (frame.type === 'fileChunk') parseFileChunk(plain);
}

function slotRecords(): Uint8Array[] {
  const view: View = {
    recipient: one.did,
    ackCommit: seed('commit'),
    state: 'leased',
    taken: true,
    session: '0f'.repeat(16),
    leaseEndsMs: 5.25,
    attempts: 2,
    rejectCode: null,
  };
  const other: View = { ...view, recipient: two.did, state: 'rejected', session: '', rejectCode: 'replay' };
  const transfer = {
    id: '01'.repeat(16),
    sender: sender.did,
    hash: '02'.repeat(32),
    viewLimit: 1,
    burnAtClaim: true,
    expiresMs: 1.5,
    views: new Map([view, other].map((each) => [each.recipient, each])),
  };
  const record = { sequence: 3, bootId: seed('boot').subarray(0, 16) };
  return [
    encodeRecord({ ...record, state: 'free', held: null }),
    encodeRecord({ ...record, state: 'stored', held: { order: 9, transfer } }),
  ].map((bytes) => bytes.slice(HASH_BYTES, HASH_BYTES + 400));
}

/** Inputs are what follows the hash; zeros follow, and the hash is true. */
function runSlotRecord(input: Uint8Array): void {
  const rest = padded(input, RECORD_BYTES - HASH_BYTES);
  const bytes = concat(engine.sha256(rest), rest);
  requireSame(encodeRecord(parseRecord(bytes)), bytes, 'slot record');
}

function keyMaterial(): Uint8Array {
  const { mldsa65, ed25519 } = sender.signer.publicKeys;
  const pair = sender.signer.sign('ghostpipe/block/v1', seed('digest'));
  return concat(
    mldsa65,
    ed25519,
    pair,
    one.recipient.publicKey,
    engine.encapsulate(one.recipient.publicKey).ciphertext,
  );
}

/** Keys, signatures and ciphertexts are bytes from outside too: false, or `kem-invalid`, and nothing else. */
function runKeys(input: Uint8Array): void {
  const keys = { mldsa65: input.subarray(0, 1952), ed25519: input.subarray(1952, 1984) };
  engine.verify(keys, 'ghostpipe/block/v1', seed('digest'), input.subarray(1984, 5357));
  one.kemKey.decapsulate(input.subarray(6573, 7693));
  engine.encapsulate(input.subarray(5357, 6573));
}
