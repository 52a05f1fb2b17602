import t from 'tap';
import { headerBytes, MAX_TTL_SECONDS, MIN_BLOCK_BYTES, parseHeader } from '../../protocol/block.ts';
import { utf8 } from '../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { ackCommit, blockCapacity, openBlock, type SealOptions, sealBlock } from '../../protocol/envelope.ts';
import { MAX_PLAIN_BYTES } from '../../protocol/frame.ts';
import { coins, flipped, party, readerOf, refuses, sameBytes, sealed, sealOptions } from '../fixtures/protocol.ts';

const sender = party(engine, 'sender');
const [one, two, three] = ['one', 'two', 'three'].map((name) => party(engine, name)) as [Party, Party, Party];
type Party = typeof sender;
const PLAIN = utf8('{"temperature":21.5}');

t.test('each reader opens a block and gets its own ack secret', async (t) => {
  const block = sealed(engine, sealOptions(sender, [one, two, three], PLAIN));
  const header = parseHeader(block.slice());
  t.match(header, { stanzaCount: 4, views: 3, ttlSeconds: 3600, burnAtClaim: false });
  const secrets = [one, two, three].map((reader) => {
    const opened = openBlock(engine, block.slice(), readerOf(reader, sender));
    sameBytes(t, opened.plain, PLAIN);
    sameBytes(t, opened.keyId, reader.recipient.keyId);
    t.match(opened.frame, { type: 'records', blockSeq: 7, codec: 'identity', plainBytes: PLAIN.length });
    const stanza = header.stanzas.find((entry) => Buffer.compare(entry.keyId, opened.keyId) === 0)!;
    sameBytes(t, ackCommit(engine, opened.ackSecret), stanza.ackCommit);
    return Buffer.from(opened.ackSecret).toString('hex');
  });
  t.equal(new Set(secrets).size, 3);
});

t.test('one recipient has no dummies, and data that would not fit is compressed', async (t) => {
  const long = new Uint8Array(100_000).fill(66);
  const block = sealed(engine, { ...sealOptions(sender, [one], long), burnAtClaim: true });
  t.match(parseHeader(block), { stanzaCount: 1, burnAtClaim: true });
  const opened = openBlock(engine, block, readerOf(one, sender));
  t.equal(opened.frame.codec, 'zstd');
  sameBytes(t, opened.plain, long);
});

t.test('a block is full to its capacity and no further', async (t) => {
  const room = blockCapacity(MIN_BLOCK_BYTES, 3);
  t.equal(room, MIN_BLOCK_BYTES - headerBytes(4) - 16 - 227 - 3373);
  const noise = coins('noise')(room + 1);
  const block = sealed(engine, sealOptions(sender, [one, two, three], noise.subarray(1)));
  t.equal(openBlock(engine, block, readerOf(two, sender)).plain.length, room);
  refuses(t, 'payload-invalid', () => sealed(engine, sealOptions(sender, [one, two, three], noise)));
});

t.test('what is not sealed', async (t) => {
  const block = new Uint8Array(MIN_BLOCK_BYTES);
  refuses(t, 'no-recipient', () => sealBlock(engine, block, sealOptions(sender, [], PLAIN)));
  const changed = (change: Partial<SealOptions>) => () =>
    sealBlock(engine, block, { ...sealOptions(sender, [one, two], PLAIN), ...change });
  refuses(t, 'block-invalid', changed({ recipients: Array.from({ length: 257 }, () => one.recipient) }));
  for (const views of [0, 3]) refuses(t, 'views-exceeded', changed({ views }));
  for (const ttlSeconds of [0, MAX_TTL_SECONDS + 1]) refuses(t, 'ttl-exceeded', changed({ ttlSeconds }));
  const huge = new Uint8Array(MAX_PLAIN_BYTES + 1);
  refuses(t, 'payload-invalid', () => sealBlock(engine, block, sealOptions(sender, [one], huge)));
  const broken = { keyId: one.recipient.keyId, publicKey: new Uint8Array(3) };
  refuses(t, 'kem-invalid', () =>
    sealBlock(engine, block, { ...sealOptions(sender, [one], PLAIN), recipients: [broken] }),
  );
});

t.test('each way not to open a block has its code', async (t) => {
  const block = sealed(engine, sealOptions(sender, [one], PLAIN));
  const refused = (code: Parameters<typeof refuses>[1], changed: Uint8Array, reader = readerOf(one, sender)) =>
    refuses(t, code, () => openBlock(engine, changed.slice(), reader));
  refused('no-stanza', block, readerOf(two, sender));
  refused('sender-unknown', block, readerOf(one, two));
  refused('block-invalid', flipped(block, 0));
  refused('block-invalid', block.subarray(0, headerBytes(1) + 15));
  refused('wrap-invalid', flipped(block, 26 + 16 + 1120));
  refused('commit-mismatch', flipped(block, 26 + 1216 - 1));
  refused('commit-mismatch', flipped(block, headerBytes(1) - 1));
  refused('body-invalid', flipped(block, headerBytes(1)));
  refused('body-invalid', flipped(block, MIN_BLOCK_BYTES - 1));
  const impostor = { ...sealOptions(sender, [one], PLAIN), signer: two.signer };
  refused('signature-invalid', sealed(engine, impostor));
});

t.test('a sender that commits to another ack secret is found out', async (t) => {
  const other = { ...engine, hkdf: wrongAckSecrets() };
  const block = sealed(other, sealOptions(sender, [one], PLAIN));
  refuses(t, 'ack-commit-mismatch', () => openBlock(engine, block, readerOf(one, sender)));
});

/** HKDF of an engine that derives ack secrets from a wrong label. */
function wrongAckSecrets(): typeof engine.hkdf {
  return (secret, salt, info, length) => {
    const isAck = Buffer.from(info).toString('latin1').startsWith('ghostpipe/ack/v1');
    return engine.hkdf(secret, salt, isAck ? utf8('another') : info, length);
  };
}
