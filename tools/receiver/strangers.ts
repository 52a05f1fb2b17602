/**
 * Senders whose keys a receiver does not know yet. The relay takes no block of a device that its roster does not name,
 * so an unknown sender is mostly one that was enrolled since this receiver last asked for the roster.
 */
import { didOf } from '../../protocol/identity.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import type { Directory } from '../lib/directory.ts';
import type { Membership } from '../lib/membership.ts';

/** Most senders for whom one version of the roster is asked again. */
const MAX_ASKED = 64;

export class Strangers {
  readonly #directory: Directory;
  readonly #membership: Membership;
  /** DIDs that the roster of this version does not name although the relay was asked for a newer one. */
  #asked = { version: 0, dids: new Set<string>() };

  constructor(directory: Directory, membership: Membership) {
    this.#directory = directory;
    this.#membership = membership;
  }

  /**
   * Asks the relay for the keys of a sender, and for the roster first when it does not name the sender; that once for
   * each version, so that blocks of nobody cost no more than others. False when there is nothing to learn. Throws what
   * keeps the relay from answering, and keys that do not verify.
   */
  async meet(sender: Uint8Array): Promise<boolean> {
    const did = didOf(sender);
    if (!this.#directory.member(sender) && !(await this.#isNowMember(sender, did))) return false;
    const [problem] = await this.#membership.refreshPeers([did]);
    if (problem) throw problem;
    return true;
  }

  async #isNowMember(sender: Uint8Array, did: string): Promise<boolean> {
    const { version } = this.#directory.roster;
    if (this.#asked.version !== version) this.#asked = { version, dids: new Set() };
    const { dids } = this.#asked;
    if (dids.has(did) || dids.size >= MAX_ASKED) return false;
    await this.#renew();
    dids.add(did);
    return this.#directory.member(sender) !== undefined;
  }

  /** What the relay refuses here is no fault of the block. */
  async #renew(): Promise<void> {
    try {
      await this.#membership.renew();
    } catch (thrown) {
      const { code, detail } = asProblem(thrown);
      throw new Problem('relay-unreachable', `the relay gives no newer roster: ${detail} (${code})`);
    }
  }
}
