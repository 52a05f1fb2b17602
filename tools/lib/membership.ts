/**
 * A device's standing at a relay: registered, with the newest roster and the keys of its peers. One exchange over a
 * connection of its own says what this device has, and brings what is new as far as a control frame goes.
 */
import { canonicalBytes, parseJson } from '../../protocol/canonical.ts';
import { type ControlItem, itemOf } from '../../protocol/control.ts';
import { fillControl } from '../../protocol/control-room.ts';
import { didOf, digestOf } from '../../protocol/identity.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { peersOf, ROSTER } from '../../protocol/roster.ts';
import type { Device, Enrolment } from './device.ts';
import type { Directory } from './directory.ts';
import type { RelayClient } from './relay-client.ts';

/** Exchanges of one start: enough for the largest roster and the keys of all its devices. */
const MAX_EXCHANGES = 512;
const PEER_LIMIT = 32_768;

type RosterPiece = Extract<ControlItem, { type: 'rosterPiece' }>;

/** What an exchange brought. */
export interface News {
  /** Whether anything of it was new and good. */
  readonly isNew: boolean;
  /** What did not verify. */
  readonly problems: readonly Problem[];
}

export class Membership {
  readonly #client: RelayClient;
  #enrolment: Enrolment;
  readonly #directory: Directory;
  /** What came of a newer roster. */
  #part = { version: 0, bytes: new Uint8Array(0) };
  /** Exchanges that succeeded. */
  #renewals = 0;

  constructor(client: RelayClient, enrolment: Enrolment, directory: Directory) {
    this.#client = client;
    this.#enrolment = enrolment;
    this.#directory = directory;
  }

  get device(): Device {
    return this.#enrolment.device;
  }

  /** Whether the key of every peer is known: until then this device has not quite started. */
  get isComplete(): boolean {
    const { name } = this.device;
    return this.#directory.peersOf(name).length === peersOf(this.#directory.roster, name).length;
  }

  /** How often the relay has said what is new. */
  get renewals(): number {
    return this.#renewals;
  }

  /** Goes on with credentials that were read again; the next registration presents them. */
  use(enrolment: Enrolment): void {
    this.#enrolment = enrolment;
  }

  /** The start: exchanges until the relay has nothing new. Throws as `renew` does; gives what did not verify. */
  async join(): Promise<readonly Problem[]> {
    const problems: Problem[] = [];
    for (let exchanges = 0; exchanges < MAX_EXCHANGES; exchanges++) {
      const news = await this.renew();
      problems.push(...news.problems);
      if (!news.isNew) break;
    }
    return problems;
  }

  /**
   * Registers at the relay, which may have forgotten this device since its last start, and takes what is new. Throws
   * what keeps this device from registering, and a roster that is not the operator's.
   */
  async renew(): Promise<News> {
    const items = await this.#client.membership(this.#said());
    const refusal = itemOf(items, 'problem');
    if (refusal) throw new Problem(refusal.code, 'the relay did not register this device');
    this.#renewals += 1;
    const piece = itemOf(items, 'rosterPiece');
    let isNew = piece !== undefined && this.#takePiece(piece);
    const problems: Problem[] = [];
    for (const item of items) {
      if (item.type !== 'peer') continue;
      try {
        if (this.#directory.acceptPeer(didOf(item.digest), parseJson(item.bytes, PEER_LIMIT))) isNew = true;
      } catch (thrown) {
        problems.push(asProblem(thrown));
      }
    }
    return { isNew, problems };
  }

  /** Takes the piece of a newer roster that came beside a block, when it follows on what is here; throws as `renew`. */
  takeBeside(items: readonly ControlItem[]): void {
    const piece = itemOf(items, 'rosterPiece');
    if (piece && piece.offset <= this.#have(piece).length) this.#takePiece(piece);
  }

  /** What is here of the roster that a piece is of. */
  #have({ version }: RosterPiece): Uint8Array {
    return version === this.#part.version ? this.#part.bytes : new Uint8Array(0);
  }

  /** Registration first; then the roster that is known, and as many keys of peers as there is room for. */
  #said(): readonly ControlItem[] {
    const { device, grant } = this.#enrolment;
    const { version } = this.#directory.roster;
    const registration = canonicalBytes({ identity: device.identity, grant, keyStatement: device.keyStatement });
    const peers = this.#directory
      .peersOf(device.name)
      .map(({ did, keyId }): ControlItem => ({ type: 'peerHave', digest: digestOf(did), keyId }));
    const turn = peers.length === 0 ? 0 : this.#renewals % peers.length;
    return fillControl([
      { type: 'registration', bytes: registration },
      { type: 'rosterHave', version, partVersion: this.#part.version, partBytes: this.#part.bytes.length },
      ...peers.slice(turn),
      ...peers.slice(0, turn),
    ]).fits;
  }

  /**
   * Takes what is new of a piece that follows on what is here, or begins anew; true when it got further. Of pieces that
   * came beside a block, and in an exchange of members under way at the same time, one holds what the other brought.
   */
  #takePiece(piece: RosterPiece): boolean {
    const { version, offset, total, bytes } = piece;
    if (version === this.#directory.roster.version) return false;
    const before = this.#have(piece);
    if (offset > before.length || bytes.length === 0 || total > ROSTER.limit || offset + bytes.length > total) {
      this.#part = { version: 0, bytes: new Uint8Array(0) };
      throw new Problem(
        'relay-answer-invalid',
        `a piece of roster ${version} does not follow on ${before.length} bytes`,
      );
    }
    if (offset + bytes.length <= before.length) return false;
    const whole = new Uint8Array(offset + bytes.length);
    whole.set(before);
    whole.set(bytes, offset);
    this.#part = { version, bytes: whole };
    if (whole.length < total) return true;
    this.#part = { version: 0, bytes: new Uint8Array(0) };
    return this.#directory.acceptRoster(whole);
  }
}
