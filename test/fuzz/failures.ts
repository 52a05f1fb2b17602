/** What went wrong, each kind once, with the input that did it. */
import { Problem } from '../../protocol/problem.ts';

/**
 * `crash`: thrown and no refusal. `broken`: accepted and not kept. `hang`, `slow`, `memory`: work without bound.
 * `leak`: memory did not come back. `seed`: an input to begin with is not accepted.
 */
export type FailureKind = 'crash' | 'broken' | 'hang' | 'slow' | 'memory' | 'leak' | 'seed';

export interface Failure {
  readonly kind: FailureKind;
  readonly message: string;
  /** The input in hexadecimal; empty when no single input did it. */
  readonly input: string;
  /** How often it came. */
  times: number;
}

const MAX_KINDS = 20;

export class Failures {
  readonly #bySignature = new Map<string, Failure>();

  get all(): readonly Failure[] {
    return [...this.#bySignature.values()];
  }

  /** Counts a failure; the first input of each that looks the same is kept. `what` is a sentence or what was thrown. */
  add(kind: FailureKind, what: unknown, input: Uint8Array): void {
    const { message, place } = described(what);
    const signature = `${kind} ${message.replace(/\d+/g, 'N').slice(0, 80)} ${place}`;
    const known = this.#bySignature.get(signature);
    if (known) known.times++;
    else if (this.#bySignature.size < MAX_KINDS) {
      const hex = Buffer.from(input).toString('hex');
      this.#bySignature.set(signature, {
        kind,
        message: place ? `${message} ${place}` : message,
        input: hex,
        times: 1,
      });
    }
  }
}

/** What was thrown, and the first line of the project (or, without one, of anything) that it came through. */
function described(what: unknown): { message: string; place: string } {
  if (!(what instanceof Error)) return { message: String(what), place: '' };
  const message = what instanceof Problem ? what.message : `${what.name}: ${what.message}`;
  const calls = (what.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const own = calls.find((line) => /\/(protocol|relay|tools)\//.test(line)) ?? calls[0] ?? '';
  return {
    message: message.slice(0, 300),
    place: own.trim().replace(/\(?file:\/\/\S*\/(?=(protocol|relay|tools|test|node_modules)\/)/, '('),
  };
}
