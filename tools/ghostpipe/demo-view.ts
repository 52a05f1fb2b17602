/** The demo drawn in the terminal: a picture that is redrawn in place, or a line each second where there is none. */
import type { Writable } from 'node:stream';
import type { RelayNumbers } from './relay-watch.ts';

export interface Scene {
  readonly phase: string;
  readonly secondsLeft: number;
  readonly slots: number;
  readonly relay: RelayNumbers;
  readonly readingsIn: number;
  readonly readingsOut: number;
  readonly lastIn: string;
  readonly lastOut: string;
}

interface Screen extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const WIDTH = 76;

export class DemoView {
  readonly #out: Screen;
  #drawn = 0;

  /** Draws to `out`; in place when it is a terminal. */
  constructor(out: Screen) {
    this.#out = out;
  }

  show(scene: Scene): void {
    if (!this.#out.isTTY) {
      this.#out.write(`${sceneLine(scene)}\n`);
      return;
    }
    const lines = sceneLines(scene, Math.min(WIDTH, this.#out.columns ?? WIDTH));
    const back = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : '';
    this.#out.write(`${back}${lines.map((line) => `\x1b[2K${line}\n`).join('')}`);
    this.#drawn = lines.length;
  }

  /** A line that stays, above the picture. */
  note(line: string): void {
    this.#out.write(`${line}\n`);
    this.#drawn = 0;
  }
}

/** The scene as one line. */
export function sceneLine({ phase, relay, readingsIn, readingsOut }: Scene): string {
  const { blocks, held, burned, covers } = relay;
  return `${phase}: ${readingsIn} in, ${readingsOut} out; blocks ${blocks}, held ${held}, burned ${burned}, covers ${covers}`;
}

/** The scene as a picture of at most `width` columns: a line that wraps could not be redrawn in place. */
export function sceneLines(scene: Scene, width: number): readonly string[] {
  const { relay, slots } = scene;
  const full = '■'.repeat(Math.min(relay.held, slots));
  const left = scene.secondsLeft > 0 ? `, ${scene.secondsLeft} s left` : '';
  return [
    `  this machine   ${String(scene.readingsIn).padStart(5)} readings in    ${scene.lastIn}`,
    '        │  sealed here: one block of equal size per interval, full or idle',
    '        ▼',
    `  relay (RAM)    [${full}${'·'.repeat(slots - full.length)}]  blocks ${relay.blocks}  burned ${relay.burned}  covers ${relay.covers}`,
    '        │  claimed, opened there, acknowledged, burned',
    '        ▼',
    `  historian      ${String(scene.readingsOut).padStart(5)} readings out   ${scene.lastOut}`,
    '',
    `  ${scene.phase}${left}`,
  ].map((line) => line.slice(0, width));
}
