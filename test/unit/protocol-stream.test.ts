import t from 'tap';
import { encodeRun, NO_RUN, RUN_BYTES, runStartedMs, STREAM_ID_BYTES, streamId } from '../../protocol/stream.ts';
import { sameBytes, seed } from '../fixtures/protocol.ts';

const [sender, one, two] = [seed('sender'), seed('one'), seed('two')];

t.test('a stream is a sender and a set of recipients', async (t) => {
  const id = streamId(sender, [one, two]);
  t.equal(id.length, STREAM_ID_BYTES);
  sameBytes(t, streamId(sender, [two, one]), id, 'in any order');
  t.notSame(streamId(sender, [one]), id);
  t.notSame(streamId(one, [sender, two]), id);
});

t.test('a run starts with its milliseconds', async (t) => {
  const run = encodeRun(1_700_000_000_000, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9));
  t.equal(Buffer.from(run).toString('hex'), '0000018bcfe568000102030405060708');
  t.equal(runStartedMs(run), 1_700_000_000_000);
  sameBytes(t, NO_RUN, new Uint8Array(RUN_BYTES));
  const inside = new Uint8Array(20);
  inside.set(run, 4);
  t.equal(runStartedMs(inside.subarray(4)), 1_700_000_000_000, 'a view into a frame');
});
