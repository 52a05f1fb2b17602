/** What a sender or a co-recipient with all of its keys can try, and what readers say to it. */
import t from 'tap';
import { headerBytes, MIN_BLOCK_BYTES } from '../../protocol/block.ts';
import { utf8 } from '../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { openBlock } from '../../protocol/envelope.ts';
import { signedPart, writeFrame } from '../../protocol/frame.ts';
import { assemble, signFrame } from '../fixtures/attacker.ts';
import {
  below,
  codeOf,
  coins,
  frameFieldsOf,
  type Party,
  party,
  readerOf,
  sameBytes,
  sealed,
  sealOptions,
  seed,
} from '../fixtures/protocol.ts';

const [sender, one, two, three] = ['sender', 'one', 'two', 'three'].map((name) => party(engine, name)) as [
  Party,
  Party,
  Party,
  Party,
];
const DATA = utf8('abcde');
const ackSeed = seed('ack seed');

/** An honest frame of `sender`, signed with the header that it stands under. */
function honestFrame(header: Uint8Array, frame: Uint8Array): void {
  writeFrame(frame, frameFieldsOf(sender, [one, two]), DATA);
  signFrame(engine, sender.signer, header, frame);
}

const open = (reader: Party, block: Uint8Array) => codeOf(() => openBlock(engine, block, readerOf(reader, sender)));

t.test('what is assembled honestly opens, so the attacks below fail for their own reason', async (t) => {
  const key = seed('key');
  const stanzas = [one, two].map((reader) => ({ reader, contentKey: key }));
  const block = assemble(engine, { stanzas, committed: key, encrypted: key, ackSeed, frame: honestFrame });
  t.equal(open(one, block.slice()), 'accepted');
  t.equal(open(two, block.slice()), 'accepted');
});

t.test('of two stanzas with different content keys at most one ever opens', async (t) => {
  const [first, second] = [seed('first key'), seed('second key')];
  const stanzas = [
    { reader: one, contentKey: first },
    { reader: two, contentKey: second },
  ];
  const attack = (committed: Uint8Array, encrypted: Uint8Array) => {
    const block = assemble(engine, { stanzas, committed, encrypted, ackSeed, frame: honestFrame });
    return [open(one, block.slice()), open(two, block.slice())];
  };
  t.same(attack(first, first), ['accepted', 'commit-mismatch']);
  t.same(attack(second, second), ['commit-mismatch', 'accepted']);
  t.same(attack(first, second), ['body-invalid', 'commit-mismatch']);
  t.same(attack(second, first), ['commit-mismatch', 'body-invalid']);
  t.same(attack(seed('third key'), first), ['commit-mismatch', 'commit-mismatch']);
});

t.test('nothing is decrypted before the commitment holds', async (t) => {
  const [first, second] = [seed('first key'), seed('second key')];
  const stanzas = [{ reader: one, contentKey: second }];
  const block = assemble(engine, { stanzas, committed: first, encrypted: second, ackSeed, frame: honestFrame });
  const before = block.slice();
  t.equal(open(one, block), 'commit-mismatch');
  sameBytes(t, block, before, 'the block is untouched');
});

t.test('a co-recipient cannot wrap a block again for somebody else', async (t) => {
  const original = sealed(engine, sealOptions(sender, [one, two], DATA));
  t.equal(open(two, original), 'accepted', 'the co-recipient opens it, so it holds the signed frame');
  const frameAt = headerBytes(2);
  const signed = original.subarray(frameAt, MIN_BLOCK_BYTES - 16);
  const key = seed('its own key');
  const rewrap = (readers: Party[], ack: Uint8Array) =>
    assemble(engine, {
      stanzas: readers.map((reader) => ({ reader, contentKey: key })),
      committed: key,
      encrypted: key,
      ackSeed: ack,
      frame: (_, frame) => frame.set(signed.subarray(0, frame.length)),
    });
  for (const readers of [
    [two, three],
    [one, three],
    [one, two],
  ]) {
    for (const reader of readers) {
      t.equal(
        open(reader, rewrap(readers, ackSeed).slice()),
        'signature-invalid',
        readers.map(({ name }) => name).join(),
      );
    }
  }
});

t.test('a frame that was changed after it was signed is refused at each byte of its fields', async (t) => {
  const key = seed('key');
  const random = coins('changed frames');
  const codes = new Map<string, number>();
  for (let at = 0; at < 240; at++) {
    const block = assemble(engine, {
      stanzas: [{ reader: one, contentKey: key }],
      committed: key,
      encrypted: key,
      ackSeed,
      frame: (header, frame) => {
        honestFrame(header, frame);
        frame[at]! ^= 1 + below(random, 255);
      },
    });
    const code = open(one, block);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  const known = ['frame-invalid', 'padding-invalid', 'type-unsupported', 'sender-unknown', 'signature-invalid'];
  t.same(
    [...codes.keys()].filter((code) => !known.includes(code)),
    [],
  );
  t.same(
    known.filter((code) => !codes.has(code)),
    [],
    'each of these refusals was seen',
  );
});

t.test('a sender may sign any frame: it is opened or refused, and never more', async (t) => {
  const key = seed('key');
  const random = coins('wild frames');
  for (let round = 0; round < 300; round++) {
    const block = assemble(engine, {
      stanzas: [{ reader: one, contentKey: key }],
      committed: key,
      encrypted: key,
      ackSeed,
      frame: (header, frame) => {
        honestFrame(header, frame);
        for (let change = 0; change < 3; change++) frame[32 + below(random, 200)] = below(random, 256);
        if (round % 3 === 0) frame.set(random(signedPart(frame).length - 32), 32);
        signFrame(engine, sender.signer, header, frame);
      },
    });
    open(one, block);
  }
  t.pass('300 frames without an exception');
});
