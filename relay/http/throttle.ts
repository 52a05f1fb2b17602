/**
 * How often each source address has failed lately: a bucket of tokens that failures empty and time fills again. It
 * keeps a fixed number of sources and forgets the one that failed longest ago.
 */

/** Most sources that are remembered. */
export const MAX_SOURCES = 4096;
const MINUTE_MS = 60_000;

interface Source {
  /** Failures that it still has; below one it is spent. */
  tokens: number;
  /** When `tokens` was right. */
  atMs: number;
  /** Failures since it was spent that nobody was told of, and when the first of them was. */
  untold: number;
  untoldSinceMs: number;
}

/** Failures of a source beyond what it may. */
export interface Overflow {
  readonly source: string;
  readonly failures: number;
}

/** Times are monotonic milliseconds. */
export class Throttle {
  readonly #perMinute: number;
  /** The one that failed longest ago first. */
  readonly #sources = new Map<string, Source>();

  /** Each source may fail `perMinute` times at once; as many come back in a minute. */
  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Whether a source has failed so often that it may not try what costs. */
  isSpent(source: string, now: number): boolean {
    return this.#at(source, now).tokens < 1;
  }

  /** Counts a failure; says whether it is within what the source may, so that each one can be told of. */
  failed(source: string, now: number): boolean {
    const state = this.#at(source, now);
    const within = state.tokens >= 1;
    if (within) state.tokens -= 1;
    else if (state.untold++ === 0) state.untoldSinceMs = now;
    this.#sources.delete(source);
    this.#sources.set(source, state);
    if (this.#sources.size > MAX_SOURCES) this.#sources.delete(this.#sources.keys().next().value!);
    return within;
  }

  /** Failures beyond what each source may, once a minute for each; they are told by this. */
  takeOverflow(now: number): Overflow[] {
    return [...this.#sources].flatMap(([source, state]) => {
      const failures = state.untold;
      if (failures === 0 || now < state.untoldSinceMs + MINUTE_MS) return [];
      state.untold = 0;
      return [{ source, failures }];
    });
  }

  #at(source: string, now: number): Source {
    const full = this.#perMinute;
    const state = this.#sources.get(source) ?? { tokens: full, atMs: now, untold: 0, untoldSinceMs: 0 };
    state.tokens = Math.min(full, state.tokens + ((now - state.atMs) * full) / MINUTE_MS);
    state.atMs = now;
    return state;
  }
}

/** What counts as one source: an IPv4 address, or the first 64 bits of an IPv6 one, which is what one host has. */
export function sourceOf(address: string | undefined): string {
  if (address === undefined) return 'unknown'; // the peer was gone before anybody looked
  const ipv4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (ipv4) return ipv4;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const groupsOf = (text: string) => (text === '' ? [] : text.split(':'));
  const [left, right] = [groupsOf(head), groupsOf(tail ?? '')];
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
