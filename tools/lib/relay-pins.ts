/** What a relay's identity seed gives: the two pins that clients hold, known before the relay ever ran. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { Engine } from '../../protocol/engine/engine.ts';
import { deriveSeed } from '../../protocol/engine/seeds.ts';
import { pinOf } from '../../protocol/text.ts';

export interface RelayPins {
  /** Of the key that the relay's certificates carry. */
  readonly tls: string;
  /** Of the key that signs its tree heads. */
  readonly log: string;
}

/** The pins of the relay with this 32-byte identity seed. */
export function relayPins(engine: Engine, seed: Uint8Array): RelayPins {
  return {
    tls: pinOfSeed(deriveSeed(engine, seed, 'ghostpipe/seed-tls/v1')),
    log: pinOfSeed(deriveSeed(engine, seed, 'ghostpipe/seed-log/v1')),
  };
}

/** Pin of the SubjectPublicKeyInfo (RFC 9881) of the ML-DSA-65 key with this seed (FIPS 204, Algorithm 6). */
function pinOfSeed(seed: Uint8Array): string {
  const key = createPrivateKey({ key: Buffer.from(seed), format: 'raw-seed', asymmetricKeyType: 'ml-dsa-65' });
  return pinOf(createPublicKey(key).export({ format: 'der', type: 'spki' }));
}
