/**
 * What the log tells of devices beside their transfers: that one proved who it is (once an hour, not for each request),
 * that a reader's session ended, and that a sender fell silent.
 */

import type { Zone } from '../../protocol/shapes.ts';
import { toHex } from '../../protocol/text.ts';
import type { Draft } from './draft.ts';

const HOUR_MS = 3_600_000;
/** A session without a claim for so long has ended. */
const SESSION_MS = 600_000;
/** Two readers that share an identity take each other's place with every claim: that is told once a minute. */
const TAKEN_OVER_MS = 60_000;

interface Session {
  readonly id: string;
  readonly claimedMs: number;
  /** When it was last told that another session took the place of one. */
  readonly toldMs: number;
}

export class Presence {
  readonly #record: (draft: Draft) => void;
  readonly #now: () => number;
  /** When each device was last recorded as known, by DID and zone. */
  readonly #provedMs = new Map<string, number>();
  /** By DID of the reader. */
  readonly #sessions = new Map<string, Session>();
  readonly #silent = new Set<string>();

  constructor(record: (draft: Draft) => void, now: () => number) {
    this.#record = record;
    this.#now = now;
  }

  /** A device showed a valid API key at a listener of a zone. */
  proved(did: string, zone: Zone): void {
    const key = `${did} ${zone}`;
    const last = this.#provedMs.get(key);
    if (last !== undefined && this.#now() - last < HOUR_MS) return;
    this.#provedMs.set(key, this.#now());
    this.#record({ act: 'auth.ok', obj: { zone }, res: 'success', src: { id: did, k: 'device' } });
  }

  /** A reader claimed in a session. */
  claimed(did: string, sessionId: Uint8Array): void {
    const id = toHex(sessionId);
    const now = this.#now();
    const { id: before = id, toldMs = Number.NEGATIVE_INFINITY } = this.#sessions.get(did) ?? {};
    const isTold = before !== id && now - toldMs >= TAKEN_OVER_MS;
    if (isTold) this.#ended(did, 'taken-over');
    this.#sessions.set(did, { id, claimedMs: now, toldMs: isTold ? now : toldMs });
  }

  /** Forgets devices that no longer belong to the site; their sessions end. */
  enforce(belongs: (did: string) => boolean): void {
    for (const did of [...this.#sessions.keys()].filter((did) => !belongs(did))) this.#end(did, 'closed');
    for (const key of [...this.#provedMs.keys()]) if (!belongs(key.split(' ')[0]!)) this.#provedMs.delete(key);
    for (const did of [...this.#silent]) if (!belongs(did)) this.#silent.delete(did);
  }

  /** Time passes. `silentMs` says since when each registered sender is silent; `staleMs` is too long. */
  tick(senders: readonly { readonly did: string; readonly silentMs: number }[], staleMs: number): void {
    for (const [did, { claimedMs }] of this.#sessions) {
      if (this.#now() - claimedMs >= SESSION_MS) this.#end(did, 'timeout');
    }
    for (const { did, silentMs } of senders) {
      if (silentMs < staleMs) this.#silent.delete(did);
      else if (!this.#silent.has(did)) {
        this.#silent.add(did);
        const obj = { silentMs: Math.floor(silentMs) };
        this.#record({ act: 'device.stale', obj, res: 'failure', src: { id: did, k: 'device' } });
      }
    }
  }

  #end(did: string, reason: 'closed' | 'timeout'): void {
    this.#sessions.delete(did);
    this.#ended(did, reason);
  }

  #ended(did: string, reason: 'closed' | 'timeout' | 'taken-over'): void {
    this.#record({ act: 'session.ended', obj: { reason }, res: 'success', src: { id: did, k: 'device' } });
  }
}
