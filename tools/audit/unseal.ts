/** Opens the sealed bundles of an export: with the key of the auditor, or as who just wrote them. */
import type { Engine, KemKey } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
import { openSealedBundle, sealBundle, sealedBundleKey } from '../../protocol/sealed-bundle.ts';
import { toBase64Url } from '../../protocol/text.ts';

/**
 * Gives the bundle of a tile path from its sealed bytes. Refuses `log-sealed` without the key for it, `log-tile-invalid`
 * when it was changed.
 */
export type Unseal = (path: string, sealed: Uint8Array) => Uint8Array;

/** For who has no key. */
export const unopened: Unseal = (path) => {
  throw new Problem('log-sealed', `the records of ${path} are sealed to an auditor, and no auditor key was given`);
};

/** For the auditor. */
export function unsealWith(engine: Engine, auditor: KemKey): Unseal {
  return (path, sealed) => openSealedBundle(engine, sealedBundleKey(engine, auditor, sealed), path, sealed);
}

/** Seals bundles to an auditor, and can read in this process what it sealed, to verify it. */
export class Sealer {
  readonly #engine: Engine;
  readonly #publicKey: Uint8Array;
  /** Keys of what was sealed, by the hash of it. */
  readonly #keys = new Map<string, Uint8Array>();

  /** Seals to an X-Wing public key. */
  constructor(engine: Engine, publicKey: Uint8Array) {
    this.#engine = engine;
    this.#publicKey = publicKey;
  }

  /** The sealed bundle of a tile path. */
  seal(path: string, bundle: Uint8Array): Uint8Array {
    const { sealed, key } = sealBundle(this.#engine, this.#publicKey, path, bundle);
    this.#keys.set(this.#nameOf(sealed), key);
    return sealed;
  }

  readonly unseal: Unseal = (path, sealed) => {
    const key = this.#keys.get(this.#nameOf(sealed));
    return key ? openSealedBundle(this.#engine, key, path, sealed) : unopened(path, sealed);
  };

  #nameOf(sealed: Uint8Array): string {
    return toBase64Url(this.#engine.sha256(sealed));
  }
}
