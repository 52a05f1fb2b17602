/** A block that was changed anywhere, cut, extended or mixed with another opens for nobody. */
import t, { type Test } from 'tap';
import {
  COMMIT_BYTES,
  FIXED_HEADER_BYTES,
  headerBytes,
  KEY_ID_BYTES,
  MIN_BLOCK_BYTES,
  parseHeader,
  STANZA_BYTES,
  WRAPPED_KEY_BYTES,
} from '../../protocol/block.ts';
import { concat, utf8 } from '../../protocol/bytes.ts';
import { KEM_CIPHERTEXT_BYTES } from '../../protocol/engine/engine.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { openBlock } from '../../protocol/envelope.ts';
import type { ProblemCode } from '../../protocol/problem.ts';
import {
  below,
  codeOf,
  coins,
  flipped,
  type Party,
  party,
  readerOf,
  sealed,
  sealOptions,
} from '../fixtures/protocol.ts';

const sender = party(engine, 'sender');
const readers = ['one', 'two', 'three'].map((name) => party(engine, name));
const random = coins('block properties');

interface Sample {
  readonly block: Uint8Array;
  readonly other: Uint8Array;
  readonly reader: Party;
  /** Index of the reader's stanza. */
  readonly own: number;
  readonly header: number;
}

/** Two blocks to the same readers with 1 or 4 stanzas; `reader` is one of them. */
function sample(recipients: readonly Party[]): Sample {
  const seal = (text: string) => sealed(engine, sealOptions(sender, recipients, utf8(text)));
  const reader = recipients[0]!;
  const [block, other] = [seal('valve OPEN'), seal('valve CLOSED')];
  const { stanzas } = parseHeader(block);
  const own = stanzas.findIndex(({ keyId }) => Buffer.compare(keyId, reader.recipient.keyId) === 0);
  return { block, other, reader, own, header: headerBytes(stanzas.length) };
}

const SAMPLES = new Map([
  ['1 stanza', sample(readers.slice(0, 1))],
  ['4 stanzas', sample(readers)],
]);

function open({ reader }: Sample, block: Uint8Array): ProblemCode | 'accepted' {
  return codeOf(() => openBlock(engine, block.slice(), readerOf(reader, sender)));
}

/** Fails once for each refusal outside `allowed`, so that thousands of cases are one assertion when all is well. */
function allRefused(t: Test, what: string, cases: Iterable<[string, string]>, allowed: readonly ProblemCode[]): void {
  let count = 0;
  const wrong: string[] = [];
  for (const [name, code] of cases) {
    count++;
    if (!allowed.includes(code as ProblemCode)) wrong.push(`${name}: ${code}`);
  }
  t.same(wrong, [], `${count} x ${what}`);
  t.ok(count > 0);
}

/** Which codes a change of the header byte `at` may give. */
function codesAt({ own }: Sample, at: number, header: number): readonly ProblemCode[] {
  if (at < 4 + 2) return ['block-invalid', 'wrap-invalid'];
  if (at < FIXED_HEADER_BYTES) return ['block-invalid', 'wrap-invalid', 'no-stanza'];
  if (at >= header - COMMIT_BYTES) return ['commit-mismatch'];
  const stanza = Math.floor((at - FIXED_HEADER_BYTES) / STANZA_BYTES);
  const inside = (at - FIXED_HEADER_BYTES) % STANZA_BYTES;
  if (stanza !== own) return inside < KEY_ID_BYTES ? ['block-invalid', 'commit-mismatch'] : ['commit-mismatch'];
  if (inside < KEY_ID_BYTES) return ['block-invalid', 'no-stanza'];
  if (inside < KEY_ID_BYTES + KEM_CIPHERTEXT_BYTES + WRAPPED_KEY_BYTES) return ['wrap-invalid'];
  return ['commit-mismatch'];
}

/** Offsets where a field of the block begins or ends. */
function boundaries({ block, header }: Sample): number[] {
  const { stanzaCount } = parseHeader(block);
  const stanzas = Array.from({ length: stanzaCount }, (_, i) => FIXED_HEADER_BYTES + i * STANZA_BYTES);
  return [
    ...[0, 4, 5, 6, 8, 10, 14, FIXED_HEADER_BYTES],
    ...stanzas.flatMap((at) => [at, at + 16, at + 1136, at + 1184, at + STANZA_BYTES]),
    ...[header - 32, header, header + 1, MIN_BLOCK_BYTES - 3389, MIN_BLOCK_BYTES - 16, MIN_BLOCK_BYTES - 1],
  ];
}

for (const [name, blocks] of SAMPLES) {
  const { block, other, header } = blocks;

  t.test(`${name}: the blocks themselves open`, async (t) => {
    t.equal(open(blocks, block), 'accepted');
    t.equal(open(blocks, other), 'accepted');
  });

  t.test(`${name}: each byte of the header counts`, async (t) => {
    const wrong: string[] = [];
    for (let at = 0; at < header; at++) {
      for (const mask of [0x80, 1 + below(random, 255)]) {
        const code = open(blocks, flipped(block, at, mask));
        if (!codesAt(blocks, at, header).includes(code as ProblemCode)) wrong.push(`byte ${at} ^ ${mask}: ${code}`);
      }
    }
    t.same(wrong, []);
  });

  t.test(`${name}: each byte of the body counts`, async (t) => {
    const places = Array.from({ length: 500 }, () => header + below(random, MIN_BLOCK_BYTES - header));
    const flips = places.map((at): [string, string] => [
      `byte ${at}`,
      open(blocks, flipped(block, at, 1 + below(random, 255))),
    ]);
    allRefused(t, 'flipped', flips, ['body-invalid']);
  });

  t.test(`${name}: cut and extended`, async (t) => {
    const every997th = Array.from({ length: Math.floor(MIN_BLOCK_BYTES / 997) }, (_, i) => (i + 1) * 997);
    const cuts = [...every997th, ...boundaries(blocks)].map((at): [string, string] => [
      `cut at ${at}`,
      open(blocks, block.subarray(0, at)),
    ]);
    allRefused(t, 'cut', cuts, ['block-invalid', 'body-invalid']);
    const longer = [1, 16, 65_536].map((by): [string, string] => [
      `extended by ${by}`,
      open(blocks, concat(block, random(by))),
    ]);
    allRefused(t, 'extended', longer, ['body-invalid']);
  });

  t.test(`${name}: two blocks mixed at each field boundary`, async (t) => {
    // Up to its initialisation vector a block is equal to its neighbour.
    const mixed = boundaries(blocks)
      .filter((at) => at > 14)
      .map((at): [string, string] => [
        `first ${at} bytes of the other block`,
        open(blocks, concat(other.subarray(0, at), block.subarray(at))),
      ]);
    allRefused(t, 'mixed', mixed, ['block-invalid', 'wrap-invalid', 'commit-mismatch', 'body-invalid', 'no-stanza']);
  });

  t.test(`${name}: a field boundary moved by a byte`, async (t) => {
    const moved = boundaries(blocks)
      .filter((at) => at < MIN_BLOCK_BYTES - 16)
      .map((at): [string, string] => [
        `a byte put in at ${at}`,
        open(blocks, concat(block.subarray(0, at), Uint8Array.of(0x5a), block.subarray(at, -1))),
      ]);
    const codes = ['block-invalid', 'no-stanza', 'wrap-invalid', 'commit-mismatch', 'body-invalid'] as const;
    allRefused(t, 'moved', moved, codes);
  });

  t.test(`${name}: a stanza of the other block`, async (t) => {
    const at = FIXED_HEADER_BYTES + blocks.own * STANZA_BYTES;
    const foreign = block.slice();
    foreign.set(other.subarray(at, at + STANZA_BYTES), at);
    t.match(open(blocks, foreign), /^(block-invalid|wrap-invalid|no-stanza)$/);
  });
}

t.test('4 stanzas: exchanged inside the block', async (t) => {
  const blocks = SAMPLES.get('4 stanzas')!;
  const stanza = (index: number) => {
    const at = FIXED_HEADER_BYTES + index * STANZA_BYTES;
    return blocks.block.subarray(at, at + STANZA_BYTES);
  };
  for (const [a, b] of [
    [0, 1],
    [0, 3],
    [2, 3],
  ] as const) {
    const swapped = blocks.block.slice();
    swapped.set(stanza(a), FIXED_HEADER_BYTES + b * STANZA_BYTES);
    swapped.set(stanza(b), FIXED_HEADER_BYTES + a * STANZA_BYTES);
    t.equal(open(blocks, swapped), 'block-invalid', `${a} and ${b}`);
  }
});
