/**
 * The boot statement: what the appliance's boot found, as the relay is told of it for leaf 0 of its audit log. It is no
 * proof: the relay signs what the verified root says.
 */
import type { Engine } from './engine/engine.ts';
import { deriveSeed } from './engine/seeds.ts';
import { integer, type Of, object, oneOf } from './shape.ts';
import { bytesText, timeMs, version1 } from './shapes.ts';
import { APPLIANCE_BOARDS, CLOCKS } from './site-config.ts';
import { toBase64Url } from './text.ts';

/** Most bytes of its file. */
export const BOOT_STATEMENT_LIMIT = 4096;

export const bootStatement = object(
  {
    v: version1,
    board: oneOf(APPLIANCE_BOARDS),
    /** `hash` is that of `configHash`. */
    config: object({ hash: bytesText(32), version: integer(1, 0xffff_ffff) }),
    /** When the image was built: no clock that says less can be right. */
    buildMs: timeMs,
    clock: oneOf(CLOCKS),
  },
  /** The verity root hash; a root without verity has none. */
  { image: bytesText(32) },
);
export type BootStatement = Of<typeof bootStatement>;

/**
 * Hash of a signed site configuration, in base64url, by which a card can be held against the log. Its salt comes from the
 * relay's identity seed: who has neither seed nor card learns nothing of the configuration.
 */
export function configHash(engine: Engine, seed: Uint8Array, document: Uint8Array): string {
  return toBase64Url(engine.sha256(deriveSeed(engine, seed, 'ghostpipe/config-salt/v1'), document));
}
