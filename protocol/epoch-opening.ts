/** The object of `log.epoch.open`, leaf 0 of every epoch of the audit log: what an auditor needs to begin. */
import { SIGNATURE_ALGORITHMS } from './engine/engine.ts';
import { integer, type Of, object, oneOf, type Shape, text } from './shape.ts';
import { bytesText, originText } from './shapes.ts';

const SIZE = integer(0, Number.MAX_SAFE_INTEGER);

/** The epoch before, as far as the relay found it, and where it found it. */
const FOUND = object({
  lastSignedRoot: bytesText(32),
  lastSignedSize: SIZE,
  origin: originText,
  source: oneOf(['tmpfs', 'stick', 'server', 'operator']),
  tailRoot: bytesText(32),
  tailSize: SIZE,
});
const NOTHING = object({ source: oneOf(['none']) });

export type PreviousEpoch = Of<typeof FOUND> | Of<typeof NOTHING>;

const PREVIOUS: Shape<PreviousEpoch> = (value, path) =>
  (value as PreviousEpoch | null)?.source === 'none' ? NOTHING(value, path) : FOUND(value, path);

export const EPOCH_OPENING = object(
  {
    boot: oneOf(['power', 'restart', 'watchdog', 'update', 'unknown']),
    /** Salted hash and version of the configuration. */
    config: object({ hash: bytesText(32), version: SIZE }),
    /** Public keys that sign the epoch's heads, by algorithm. */
    keys: object({
      ed25519: bytesText(SIGNATURE_ALGORITHMS.ed25519.publicKeyBytes),
      mldsa44: bytesText(SIGNATURE_ALGORITHMS['ml-dsa-44'].publicKeyBytes),
      mldsa65: bytesText(SIGNATURE_ALGORITHMS['ml-dsa-65'].publicKeyBytes),
    }),
    origin: originText,
    prev: PREVIOUS,
    /** By the log key over the record without this field. */
    signature: bytesText(SIGNATURE_ALGORITHMS['ml-dsa-65'].signatureBytes),
    software: text('a version of 1 to 64 characters', 1, 64, /^[A-Za-z0-9.+-]+$/),
  },
  /** Root hash of the appliance's image; a relay on a host has none. */
  { image: bytesText(32) },
);
export type EpochOpening = Of<typeof EPOCH_OPENING>;
