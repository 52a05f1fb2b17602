/** A device's standing at a relay: registered, with a fresh roster and the keys of the peers that it needs. */
import type { Json } from '../../protocol/canonical.ts';
import { Problem } from '../../protocol/problem.ts';
import type { Device, Enrolment } from './device.ts';
import type { Directory } from './directory.ts';
import type { RelayClient } from './relay-client.ts';

export class Membership {
  readonly #client: RelayClient;
  #enrolment: Enrolment;
  readonly #directory: Directory;

  constructor(client: RelayClient, enrolment: Enrolment, directory: Directory) {
    this.#client = client;
    this.#enrolment = enrolment;
    this.#directory = directory;
  }

  get device(): Device {
    return this.#enrolment.device;
  }

  /** Goes on with credentials that were read again; the next registration presents them. */
  use(enrolment: Enrolment): void {
    this.#enrolment = enrolment;
  }

  /**
   * Registers at the relay, which may have forgotten this device since its last start, and fetches the newest roster.
   * What the relay answers about rosters counts only when the directory accepts it.
   */
  async renew(): Promise<void> {
    const { device, grant } = this.#enrolment;
    await this.#client.register({ identity: device.identity, grant, keyStatement: device.keyStatement });
    this.#directory.acceptRoster(await this.#client.roster());
  }

  /**
   * Asks the relay for the keys of these members and gives what did not verify. A peer that is not registered now
   * keeps the keys that were seen before.
   */
  async refreshPeers(dids: Iterable<string>): Promise<readonly Problem[]> {
    const problems: Problem[] = [];
    for (const did of new Set(dids)) {
      try {
        const answer: Json = await this.#client.did(did);
        this.#directory.acceptPeer(did, answer);
      } catch (thrown) {
        if (!(thrown instanceof Problem)) throw thrown;
        if (thrown.code !== 'not-available') problems.push(thrown);
      }
    }
    return problems;
  }
}
