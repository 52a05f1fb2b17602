/**
 * The newest roster on its way to the devices, piece by piece: where each one stands is its own word, from its last
 * exchange of members, and what went out since. A piece that was lost comes again when the device has said so.
 */
import { type ControlItem, itemBytes, MAX_ROSTER_PIECE_BYTES } from '../../protocol/control.ts';
import type { RosterStore } from './roster-store.ts';

/** A smaller piece is not worth its place. */
const LEAST_PIECE_BYTES = 1024;
/** Beside other items at most one in this part of an interval, so that pieces come in their order over several lanes. */
const APART = 0.5;

type RosterHave = Extract<ControlItem, { type: 'rosterHave' }>;

interface Standing {
  /** The roster that the device has. */
  readonly version: number;
  /** Of which newer one it got how many bytes. */
  readonly partVersion: number;
  readonly partBytes: number;
  /** When a piece went out last. */
  readonly sentMs: number;
}

const HEAD_BYTES = itemBytes({ type: 'rosterPiece', version: 0, offset: 0, total: 0, bytes: new Uint8Array(0) });

export class RosterPieces {
  readonly #roster: Pick<RosterStore, 'bytes' | 'current'>;
  readonly #now: () => number;
  /** By DID. */
  readonly #standings = new Map<string, Standing>();

  /** `now` gives monotonic milliseconds. */
  constructor(roster: Pick<RosterStore, 'bytes' | 'current'>, now: () => number) {
    this.#roster = roster;
    this.#now = now;
  }

  /** The answer to what a device says that it has: the next piece, none when it has all. */
  answer(did: string, { version, partVersion, partBytes }: RosterHave): ControlItem[] {
    const isPart = partVersion === this.#roster.current.version && partBytes < this.#roster.bytes.length;
    const part = isPart ? { partVersion, partBytes } : { partVersion: 0, partBytes: 0 };
    this.#standings.set(did, { version, ...part, sentMs: Number.NEGATIVE_INFINITY });
    return this.#next(did, MAX_ROSTER_PIECE_BYTES);
  }

  /** The next piece for a device, in so many bytes beside other items; none when it has all, or just got one. */
  beside(did: string, room: number): ControlItem[] {
    const { sentMs } = this.#standings.get(did) ?? {};
    if (sentMs === undefined || this.#now() - sentMs < APART * this.#roster.current.profile.intervalMs) return [];
    const most = Math.min(room - HEAD_BYTES, MAX_ROSTER_PIECE_BYTES);
    return most < LEAST_PIECE_BYTES ? [] : this.#next(did, most);
  }

  /** Forgets the devices that no longer belong to the site. */
  enforce(belongs: (did: string) => boolean): void {
    for (const did of [...this.#standings.keys()]) if (!belongs(did)) this.#standings.delete(did);
  }

  #next(did: string, most: number): ControlItem[] {
    const standing = this.#standings.get(did)!;
    const { bytes: whole, current } = this.#roster;
    const { version } = current;
    const offset = standing.partVersion === version ? standing.partBytes : 0;
    if (standing.version >= version || offset >= whole.length) return [];
    const bytes = whole.subarray(offset, offset + most);
    this.#standings.set(did, {
      version: standing.version,
      partVersion: version,
      partBytes: offset + bytes.length,
      sentMs: this.#now(),
    });
    return [{ type: 'rosterPiece', version, offset, total: whole.length, bytes }];
  }
}
