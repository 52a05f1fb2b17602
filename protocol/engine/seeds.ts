/** Derivation of the single-purpose seeds from one identity seed (HKDF-SHA256, RFC 5869, empty salt). */
import { utf8 } from '../bytes.ts';
import type { Engine } from './engine.ts';

/** The 32-byte seed for one purpose; `label` is a domain label and nothing else is ever derived under it. */
export function deriveSeed(engine: Pick<Engine, 'hkdf'>, seed: Uint8Array, label: string): Uint8Array {
  return engine.hkdf(seed, new Uint8Array(0), utf8(label), 32);
}

/** Seeds of the two halves of a signing identity. */
export function signingSeeds(
  engine: Pick<Engine, 'hkdf'>,
  seed: Uint8Array,
): { mldsa65: Uint8Array; ed25519: Uint8Array } {
  return {
    mldsa65: deriveSeed(engine, seed, 'ghostpipe/seed-ml-dsa-65/v1'),
    ed25519: deriveSeed(engine, seed, 'ghostpipe/seed-ed25519/v1'),
  };
}
