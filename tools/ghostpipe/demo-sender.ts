/**
 * The sender of the demo: paramant-sender itself, on an engine that tells the parent process each 32-byte secret that
 * it draws (content keys among them), so that the parent can look for them where they must not be.
 */
import type { Engine } from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { toHex } from '../../protocol/text.ts';
import { main } from '../sender/main.ts';

const talkative: Engine = {
  ...nativeEngine,
  random(length) {
    const drawn = nativeEngine.random(length);
    if (length === 32) process.send?.({ secret: toHex(drawn) });
    return drawn;
  },
};

// No `await` here: the bundle has this file as a CommonJS module.
void main(process.argv.slice(2), talkative).then((code) => {
  process.exitCode = code;
});
