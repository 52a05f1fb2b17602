/**
 * Sealing and opening one 5 MiB block against the bare cost of its bytes: one AES-256-GCM pass and one SHA-256 pass
 * of OpenSSL over the same memory. Incompressible data, so that every byte is worked on.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { DEFAULT_BLOCK_BYTES } from '../protocol/block.ts';
import { nativeEngine as engine } from '../protocol/engine/native.ts';
import { blockCapacity, keyIdOf, openBlock, sealBlock } from '../protocol/envelope.ts';
import { NO_GROUP } from '../protocol/frame.ts';
import { judge, median, type PartResult, round } from './figures.ts';

const ROUNDS = 40;
const WARM_UP = 5;

/** Medians in ms and ratios. The three are timed in turn in each round, so that drift of the machine meets all. */
export async function benchSeal(): Promise<PartResult> {
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
  const figures = {
    'seal.ms': round(sealMs),
    'open.ms': round(openMs),
    'bare.ms': round(bareMs),
    'seal.ratio': round(sealMs / bareMs),
    'open.ratio': round(openMs / bareMs),
  };
  const notes = [judge('sealing', figures['seal.ratio'], 1.3), judge('opening', figures['open.ratio'], 1.3)];
  return { figures, notes };
}
