/** Epochs of the relay's audit log that a client has to do with: origin and keys, from statements that it verified. */
import { equalBytes, utf8 } from '../../protocol/bytes.ts';
import type { LogKeys } from '../../protocol/checkpoint.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import { Problem } from '../../protocol/problem.ts';
import { toHex } from '../../protocol/text.ts';
import { parseTlogProof } from '../../protocol/tlog-proof.ts';

/** Most that are remembered; a relay begins a new one with each start. */
const MAX_EPOCHS = 16;

export interface LogEpoch {
  readonly origin: string;
  readonly keys: LogKeys;
  /** The epoch statement as it was signed. */
  readonly statement: Uint8Array;
}

export interface LogEpochsOptions {
  readonly engine: Engine;
  /** Pin of the relay's log key, by the profile of the moment. */
  readonly logPin: () => string;
}

export class LogEpochs {
  readonly #options: LogEpochsOptions;
  /** By SHA-256 of the origin in hex, oldest first. */
  readonly #known = new Map<string, LogEpoch>();

  constructor(options: LogEpochsOptions) {
    this.#options = options;
  }

  /** An epoch that was verified before, by the SHA-256 of its origin. */
  known(originHash: Uint8Array): LogEpoch | undefined {
    return this.#known.get(toHex(originHash));
  }

  /**
   * Takes what the relay gave as the proof of the statement of an epoch, and verifies it with the pinned log key. Refuses
   * `log-epoch-invalid` and what does not parse.
   */
  learn(originHash: Uint8Array, proof: Uint8Array): LogEpoch {
    const { engine, logPin } = this.#options;
    const { extra: statement } = parseTlogProof(proof);
    if (!statement) throw new Problem('log-epoch-invalid', 'the relay gave no epoch statement');
    const { event, keys } = verifyEpoch(engine, statement, logPin());
    const { origin } = event.obj;
    if (!equalBytes(engine.sha256(utf8(origin)), originHash)) {
      throw new Problem('log-epoch-invalid', `the relay gave the statement of ${origin} for that of another epoch`);
    }
    const epoch = { origin, keys, statement };
    this.#known.set(toHex(originHash), epoch);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_EPOCHS) break;
      this.#known.delete(oldest);
    }
    return epoch;
  }
}
