/**
 * Sealing and opening one 5 MiB block against the bare cost of its bytes: one AES-256-GCM pass and one SHA-256 pass
 * of OpenSSL over the same memory. Incompressible data, so that every byte is worked on.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { DEFAULT_BLOCK_BYTES } from '../protocol/block.ts';
import { nativeEngine as engine } from '../protocol/engine/native.ts';
import { blockCapacity, keyIdOf, openBlock, sealBlock } from '../protocol/envelope.ts';
import { NO_GROUP } from '../protocol/frame.ts';

const ROUNDS = 40;
const WARM_UP = 5;

/** Medians in ms and ratios. The three are timed in turn in each round, so that drift of the machine meets all. */
export async function benchSeal(): Promise<Record<string, number>> {
  const signer = engine.signingKey(engine.random(32));
  const kemKey = engine.kemKey(engine.random(32));
  const recipient = { keyId: keyIdOf(engine, kemKey.publicKey), publicKey: kemKey.publicKey };
  const plain = engine.random(blockCapacity(DEFAULT_BLOCK_BYTES, 1));
  const block = new Uint8Array(DEFAULT_BLOCK_BYTES);
  const zero = (length: number) => new Uint8Array(length);
  const fields = {
    senderDigest: zero(32),
    keyGeneration: 1,
    streamId: zero(16),
    run: zero(16),
    previousRun: zero(16),
    blockSeq: 0,
    firstRecord: 0,
    recordCount: 0,
    wallTimeMs: 0,
    timeQuality: 'none',
    monotonicMs: 0,
    expiryMs: 0,
    type: 'selftest',
    group: NO_GROUP,
  } as const;

  const seal = () =>
    sealBlock(engine, block, {
      recipients: [recipient],
      views: 1,
      ttlSeconds: 60,
      burnAtClaim: false,
      signer,
      fields,
      plain,
    });
  const open = () => openBlock(engine, block, { kemKey: () => kemKey, senderKeys: () => signer.publicKeys });
  const bare = () => {
    const cipher = createCipheriv('aes-256-gcm', zero(32), zero(12));
    cipher.update(block);
    cipher.final();
    createHash('sha256').update(block).digest();
  };

  const times = { seal: [] as number[], open: [] as number[], bare: [] as number[] };
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const [name, action] of Object.entries({ seal, open, bare }) as [keyof typeof times, () => void][]) {
      const start = performance.now();
      action();
      if (round >= 0) times[name].push(performance.now() - start);
    }
  }
  const [sealMs, openMs, bareMs] = [median(times.seal), median(times.open), median(times.bare)];
  return {
    'seal.ms': round(sealMs),
    'open.ms': round(openMs),
    'bare.ms': round(bareMs),
    'seal.ratio': round(sealMs / bareMs),
    'open.ratio': round(openMs / bareMs),
  };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
