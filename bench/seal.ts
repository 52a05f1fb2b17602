/**
 * Sealing and opening one 5 MiB block against the bare cost of its bytes: one AES-256-GCM pass and one SHA-256 pass
 * of OpenSSL over the same memory. Incompressible data, so that every byte is worked on.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { DEFAULT_BLOCK_BYTES } from '../protocol/block.ts';
import { release } from '../protocol/bytes.ts';
import type { Engine } from '../protocol/engine/engine.ts';
import { nativeEngine as engine } from '../protocol/engine/native.ts';
import { blockCapacity, openBlock, type SealOptions, sealBlock } from '../protocol/envelope.ts';
import { NO_GROUP } from '../protocol/frame.ts';
import { keyIdOf } from '../protocol/key-id.ts';
import { judge, median, type PartResult, round } from './figures.ts';

const ROUNDS = 40;
const WARM_UP = 5;
/** The bare cipher runs in pieces: what it gives back is memory that the kernel would have to clear anew. */
const PIECE = 262_144;

/**
 * Medians in ms of processor time, and ratios. The three are timed in turn in each round, so that drift of the machine
 * meets all.
 */
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

  const options = { recipients: [recipient], views: 1, ttlSeconds: 60, burnAtClaim: false, signer, fields, plain };
  const seal = () => sealBlock(engine, block, options);
  const open = () => openBlock(engine, block, { kemKey: () => kemKey, senderKeys: () => signer.publicKeys });
  const bare = () => {
    const cipher = createCipheriv('aes-256-gcm', zero(32), zero(12));
    for (let at = 0; at < block.length; at += PIECE) release(cipher.update(block.subarray(at, at + PIECE)));
    cipher.final();
    createHash('sha256').update(block).digest();
  };

  const times = { seal: [] as number[], open: [] as number[], bare: [] as number[] };
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const [name, action] of Object.entries({ seal, open, bare }) as [keyof typeof times, () => void][]) {
      const ms = cpuMsOf(action);
      if (round >= 0) times[name].push(ms);
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
  const notes = [
    judge('sealing against the bare cost', figures['seal.ratio'], 1.3),
    judge('opening against the bare cost', figures['open.ratio'], 1.3),
    ...profileSeal(block, options),
  ];
  return { figures, notes };
}

/** Processor milliseconds of this process, its collector included: neighbours on the machine count for less than by a clock. */
function cpuMsOf(action: () => void): number {
  const before = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** One sentence for each kind of work in sealing, the largest first. */
function profileSeal(block: Uint8Array, options: SealOptions): string[] {
  const spent = new Map<string, number>();
  const timed =
    <A extends unknown[], R>(kind: string, action: (...args: A) => R) =>
    (...args: A): R => {
      const before = process.threadCpuUsage();
      const result = action(...args);
      const { user, system } = process.threadCpuUsage(before);
      spent.set(kind, (spent.get(kind) ?? 0) + (user + system) / 1000 / ROUNDS);
      return result;
    };
  const timedEngine: Engine = {
    ...engine,
    sha256: timed('SHA-256', engine.sha256),
    hkdf: timed('HKDF', engine.hkdf),
    aeadSeal: timed('AES-256-GCM', engine.aeadSeal),
    encapsulate: timed('X-Wing', engine.encapsulate),
  };
  const signer = { ...options.signer, sign: timed('ML-DSA-65 and Ed25519', options.signer.sign) };
  const seal = timed('all', () => sealBlock(timedEngine, block, { ...options, signer }));
  for (let i = 0; i < ROUNDS; i++) seal();
  const all = spent.get('all')!;
  spent.delete('all');
  const known = [...spent.values()].reduce((sum, ms) => sum + ms, 0);
  spent.set('copying, garbage collection and the rest', all - known);
  return [
    `where the time of sealing goes (mean ${round(all)} ms):`,
    ...[...spent]
      .sort(([, a], [, b]) => b - a)
      .map(([kind, ms]) => `  ${((100 * ms) / all).toFixed(1).padStart(5)} %  ${kind}`),
  ];
}
