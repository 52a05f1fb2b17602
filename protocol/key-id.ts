/** The key id: by which blocks and sealed bundles name an X-Wing key. */
import { KEY_ID_BYTES } from './block.ts';
import { utf8 } from './bytes.ts';
import type { Engine } from './engine/engine.ts';

/** First 16 bytes of SHA-256 over the label and an X-Wing public key. */
export function keyIdOf(engine: Engine, publicKey: Uint8Array): Uint8Array {
  return engine.sha256(utf8('ghostpipe/key-id/v1'), publicKey).slice(0, KEY_ID_BYTES);
}
