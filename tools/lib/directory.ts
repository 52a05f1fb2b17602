/**
 * The verified view of a site: the newest roster, and the keys of the peers that this device deals with.
 *
 * The relay is only the carrier. A roster counts because the pinned operator signed it, a peer's keys because they
 * hash to the DID in that roster, a KEM key because the peer signed it; versions and generations never go back, not
 * even over a restart. What is stored on disk is verified again when it is read.
 */
import { join } from 'node:path';
import { canonicalText, type Json, parseJson } from '../../protocol/canonical.ts';
import type { Engine, VerifyingKeys } from '../../protocol/engine/engine.ts';
import type { Recipient } from '../../protocol/envelope.ts';
import { didOf, keysOfIdentity } from '../../protocol/identity.ts';
import { openKeyStatement } from '../../protocol/key-statement.ts';
import { Problem } from '../../protocol/problem.ts';
import { isRevoked } from '../../protocol/revocation.ts';
import { deviceWithDid, openRoster, peersOf, type Roster, type RosterDevice } from '../../protocol/roster.ts';
import type { Role } from '../../protocol/shapes.ts';
import { ROSTER_FILE_LIMIT } from './device.ts';
import { readFileBounded, writeStateFile } from './files.ts';

const PEER_LIMIT = 65_536;

export interface SiteTrust {
  readonly operatorKeyHash: string;
  readonly siteId: string;
}

/** A peer whose identity and key statement were verified. */
interface Peer {
  readonly keys: VerifyingKeys;
  readonly generation: number;
  readonly recipient: Recipient;
}

export class Directory {
  readonly #engine: Engine;
  readonly #trust: SiteTrust;
  readonly #folder: string;
  #roster: Roster;
  /** Verified peers by DID; only `#acceptPeer` writes it. */
  readonly #peers = new Map<string, Peer>();

  /** Opens the newer of the roster of enrolment and the one remembered in `folder`. */
  constructor(engine: Engine, trust: SiteTrust, folder: string, enrolledRoster: Uint8Array) {
    this.#engine = engine;
    this.#trust = trust;
    this.#folder = folder;
    this.#roster = openRoster(engine, enrolledRoster, { ...trust, minVersion: 0 });
    const remembered = readFileBounded(join(folder, 'roster.json'), ROSTER_FILE_LIMIT);
    if (remembered) {
      const seen = openRoster(engine, remembered, { ...trust, minVersion: 0 });
      if (seen.version > this.#roster.version) this.#roster = seen;
    }
  }

  get roster(): Roster {
    return this.#roster;
  }

  /** Takes a roster that the relay carried; true when it is newer. Refuses one that is older or not the operator's. */
  acceptRoster(bytes: Uint8Array): boolean {
    const offered = openRoster(this.#engine, bytes, { ...this.#trust, minVersion: this.#roster.version });
    if (offered.version === this.#roster.version) return false;
    writeStateFile(join(this.#folder, 'roster.json'), bytes);
    this.#roster = offered;
    for (const did of this.#peers.keys()) if (!this.#member(did)) this.#peers.delete(did);
    return true;
  }

  /** Takes the roster of a device folder that was read again, which may well be older than the one that is known. */
  acceptEnrolled(bytes: Uint8Array): void {
    const { version } = openRoster(this.#engine, bytes, { ...this.#trust, minVersion: 0 });
    if (version > this.#roster.version) this.acceptRoster(bytes);
  }

  /**
   * Takes what the relay says of `did`; true when it is news. Refuses anything that does not verify or is older than what
   * was seen.
   */
  acceptPeer(did: string, answer: Json): boolean {
    const before = this.#peer(did)?.generation; // of before a restart, too
    const text = canonicalText(answer);
    this.#acceptPeer(did, answer);
    writeStateFile(this.#peerPath(did), text);
    return before !== this.#peers.get(did)!.generation;
  }

  /** The key that reaches a receiver, from memory or disk; undefined when the relay has to be asked. */
  recipient(did: string): Recipient | undefined {
    return this.#member(did)?.roles.includes('receive') ? this.#peer(did)?.recipient : undefined;
  }

  /** The verification keys of a member with `role`, by DID digest; undefined when it is none or not yet known. */
  verifyingKeys(digest: Uint8Array, role: Role): VerifyingKeys | undefined {
    const did = didOf(digest);
    return this.#member(did)?.roles.includes(role) ? this.#peer(did)?.keys : undefined;
  }

  /** The keys that are known of the peers of the member called `name`, by the roster in force. */
  peersOf(name: string): { readonly did: string; readonly keyId: Uint8Array }[] {
    return peersOf(this.#roster, name).flatMap(({ did }) => {
      const keyId = this.#peer(did)?.recipient.keyId;
      return keyId ? [{ did, keyId }] : [];
    });
  }

  /** The roster's entry of a DID that is not revoked. */
  member(digest: Uint8Array): RosterDevice | undefined {
    return this.#member(didOf(digest));
  }

  #member(did: string): RosterDevice | undefined {
    const device = deviceWithDid(this.#roster, did);
    return device && !isRevoked(this.#roster.revocations, did) ? device : undefined;
  }

  #peer(did: string): Peer | undefined {
    if (!this.#peers.has(did)) this.#recall(did);
    return this.#peers.get(did);
  }

  /** Reads a peer from disk; one that does not verify is as good as none. */
  #recall(did: string): void {
    const bytes = readFileBounded(this.#peerPath(did), PEER_LIMIT);
    if (!bytes) return;
    try {
      this.#acceptPeer(did, parseJson(bytes, PEER_LIMIT));
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown;
    }
  }

  #acceptPeer(did: string, answer: Json): void {
    if (!this.#member(did)) throw new Problem('not-in-roster', `${did} is not in the roster of this site`);
    const { identity, keyStatement } = (answer ?? {}) as { identity?: Json; keyStatement?: Json };
    const keys = keysOfIdentity(did, identity);
    const seen = this.#peers.get(did)?.generation ?? 0;
    const { generation, recipient } = openKeyStatement(this.#engine, keyStatement ?? null, did, keys, seen);
    this.#peers.set(did, { keys, generation, recipient });
  }

  #peerPath(did: string): string {
    return join(this.#folder, 'peers', `${did.slice('did:paramant:'.length)}.json`);
  }
}
