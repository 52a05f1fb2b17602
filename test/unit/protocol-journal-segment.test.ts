/** Segments of the journal on the stick: layout, chain, commits, and what damage of any kind does to them. */
import { createHash } from 'node:crypto';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import t from 'tap';
import { concat, utf8 } from '../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import {
  COMMIT_FRAME_BYTES,
  committed,
  encodeSegmentHeader,
  FrameChain,
  frameBytes,
  lostCommit,
  MAX_FRAME_PAYLOAD_BYTES,
  parseSegment,
  SEGMENT_HEADER_BYTES,
  signCommit,
} from '../../protocol/journal-segment.ts';
import { segmentOf } from '../fixtures/journal.ts';
import { logKeys, logSigners, ORIGIN } from '../fixtures/log.ts';
import { flipped, patched, refuses, sameBytes, seed } from '../fixtures/protocol.ts';

const signers = logSigners(engine, 'journal');
const keys = logKeys(signers);
const items = [
  { kind: 'record', index: 7, payload: utf8('{"i":7}') },
  { kind: 'record', index: 8, payload: utf8('{"i":8}') },
  { kind: 'head', index: 9, payload: utf8('a checkpoint\n') },
] as const;
/** Two commits: of 8 and of 9 records. */
const bytes = segmentOf(engine, signers, [[items[0]], [items[1], items[2]]]);
const first = SEGMENT_HEADER_BYTES;
const second = first + frameBytes(items[0]) + COMMIT_FRAME_BYTES;
const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();

t.test('the layout, a chain and signatures that another program can check', async (t) => {
  const header = bytes.subarray(0, SEGMENT_HEADER_BYTES);
  const name = Buffer.from(ORIGIN);
  sameBytes(
    t,
    header,
    Buffer.concat([
      Buffer.from('GPJ1'),
      seed('segment').subarray(0, 16),
      Buffer.of(name.length),
      name,
      Buffer.alloc(SEGMENT_HEADER_BYTES - 21 - name.length),
    ]),
  );
  const head = Buffer.from('01000000070000000000000007', 'hex');
  const chain = sha256(sha256(header), head, items[0].payload);
  sameBytes(t, bytes.subarray(first, first + 52), Buffer.concat([head, chain, items[0].payload]));
  const commit = bytes.subarray(first + 52, first + 52 + COMMIT_FRAME_BYTES);
  sameBytes(t, commit.subarray(0, 45), Buffer.concat([Buffer.from('03000009b40000000000000008', 'hex'), chain]));
  const label = 'ghostpipe/log-commit/v1';
  const digest = sha256(Buffer.from(label), Buffer.from('0000000000000008', 'hex'), chain);
  t.ok(ml_dsa44.verify(commit.subarray(109), digest, keys['ml-dsa-44'], { context: utf8(label) }));
  t.ok(engine.verifySingle('ed25519', keys.ed25519, label, digest, commit.subarray(45, 109)));
});

t.test('what was written is read, up to the newest commit that both keys signed', async (t) => {
  const segment = parseSegment(engine, concat(bytes, new Uint8Array(500)));
  t.match(segment.header, { origin: ORIGIN });
  t.equal(segment.end, bytes.length);
  t.same(segment.items, items);
  t.same(committed(engine, keys, segment), { items, below: 9 });
  t.equal(committed(engine, logKeys(logSigners(engine, 'another')), segment), null);
  const mixed = { ...keys, ed25519: logKeys(logSigners(engine, 'another')).ed25519 };
  t.equal(committed(engine, mixed, segment), null, 'one of two signatures is none');
  const torn = parseSegment(engine, bytes.subarray(0, bytes.length - 1));
  t.same(committed(engine, keys, torn), { items: [items[0]], below: 8 });
  t.equal(torn.items.length, 3);
  const forged = parseSegment(engine, flipped(bytes, bytes.length - 1));
  t.same(committed(engine, keys, forged), { items: [items[0]], below: 8 });
});

t.test(
  'one bit flipped anywhere ends the reading there; in a commit that another one follows it may do no harm',
  async (t) => {
    const commit = first + frameBytes(items[0]);
    // Its number and its signature are in no chain; a number above 2^53 - 1 ends the reading.
    const isApart = (at: number) => (at >= commit + 7 && at < commit + 13) || (at >= commit + 45 && at < second);
    for (let at = first; at < second + 60; at += 3) {
      const read = committed(engine, keys, parseSegment(engine, flipped(bytes, at)))?.items.length ?? 0;
      t.equal(read, isApart(at) ? 3 : at < second ? 0 : 1, `byte ${at}`);
    }
  },
);

t.test('a commit behind the damage tells of it, and of nothing else', async (t) => {
  const lost = (value: Uint8Array, below: number, by = keys) =>
    lostCommit(engine, by, value, parseSegment(engine, value), below);
  t.equal(lost(flipped(bytes, first + 50), 7), 9);
  t.equal(lost(flipped(bytes, first + 50), 9), null, 'the records are elsewhere');
  t.equal(lost(flipped(bytes, second + 50), 8), 9);
  t.equal(lost(bytes, 0), null, 'a whole segment lost nothing');
  t.equal(lost(flipped(bytes, second + 50), 8, logKeys(logSigners(engine, 'another'))), null);
  t.equal(lost(flipped(flipped(bytes, second + 50), bytes.length - 1), 8), null, 'nobody signed that');
  const again = segmentOf(engine, signers, [[{ ...items[0], index: 3 }]]);
  t.equal(lost(concat(again, bytes.subarray(again.length)), 9), null, 'old frames have lower numbers');
});

t.test('frames that cannot be end the reading, headers that cannot be are refused', async (t) => {
  const frame = (change: Record<number, number>) =>
    parseSegment(
      engine,
      Object.entries(change).reduce((value, [at, byte]) => patched(value, Number(at), byte), bytes),
    );
  for (const change of [
    { [first]: 0 },
    { [first]: 4 },
    { [first + 4]: 0 },
    { [first + 1]: 1 },
    { [first + 5]: 1 },
    { [first]: 3 },
    { [first + 52 + 4]: 1 },
  ]) {
    t.equal(frame(change).commits.length, 0, JSON.stringify(change));
  }
  const long = { kind: 'record', index: 0, payload: new Uint8Array(MAX_FRAME_PAYLOAD_BYTES + 1) } as const;
  t.equal(parseSegment(engine, segmentOf(engine, signers, [[long]])).items.length, 0);
  refuses(t, 'file-invalid', () => parseSegment(engine, bytes.subarray(0, SEGMENT_HEADER_BYTES - 1)));
  refuses(t, 'file-invalid', () => parseSegment(engine, flipped(bytes, 0)));
  refuses(t, 'file-invalid', () => parseSegment(engine, flipped(bytes, SEGMENT_HEADER_BYTES - 1)));
  refuses(t, 'file-invalid', () => parseSegment(engine, patched(bytes, 20, 0)));
  refuses(t, 'file-invalid', () => parseSegment(engine, patched(bytes, 21, 0xff)));
});

t.test('a chain goes on from commit to commit', async (t) => {
  const header = encodeSegmentHeader({ segmentId: seed('x').subarray(0, 16), origin: ORIGIN });
  const chain = new FrameChain(engine, header);
  const before = chain.value;
  chain.add(items[0]);
  t.notSame(chain.value, before);
  const { value } = chain;
  chain.commit(8, signCommit(engine, signers, 8, value));
  t.same(chain.value, value, 'a commit is no part of it');
});
