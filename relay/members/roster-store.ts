/**
 * The roster that the relay enforces. Its version only grows, and revocations are never taken back; both live in RAM
 * and come again from the roster file at the next start.
 */
import type { Engine, VerifyingKeys } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
import { isRevoked, REVOCATION, type Revocation, type RevokedEntry } from '../../protocol/revocation.ts';
import { deviceWithDid, openRoster, operatorKeys, type Roster, type RosterDevice } from '../../protocol/roster.ts';
import { openDocumentBytes } from '../../protocol/signed.ts';
import type { SelfDevice } from './self-device.ts';

/** Most revocations by statement; more belong into a roster. */
const MAX_STATEMENTS = 4096;

export interface SiteTrust {
  readonly siteId: string;
  readonly operatorKeyHash: string;
}

export class RosterStore {
  readonly #engine: Engine;
  readonly #trust: SiteTrust;
  #roster: Roster;
  #bytes: Uint8Array;
  readonly #fileVersion: number;
  readonly #self: SelfDevice | null;
  /** Revocations by statement, in the order of arrival. */
  #statements: readonly RevokedEntry[] = [];

  /** Begins with the bytes of the roster file; refuses what `openRoster` refuses. */
  constructor(engine: Engine, bytes: Uint8Array, trust: SiteTrust, self: SelfDevice | null = null) {
    this.#engine = engine;
    this.#trust = trust;
    this.#roster = openRoster(engine, bytes, { ...trust, minVersion: 0 });
    this.#bytes = bytes;
    this.#fileVersion = this.#roster.version;
    this.#self = self;
  }

  get current(): Roster {
    return this.#roster;
  }

  /** The canonical bytes of the current roster, as the operator signed them. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Whether the roster in force is newer than the one that a restart would begin with. */
  get publishedSinceStart(): boolean {
    return this.#roster.version > this.#fileVersion;
  }

  /** Revocations that stand in no roster yet: they are lost at a restart unless the site's roster names them. */
  get unrostered(): number {
    const { revocations } = this.#roster;
    return this.#statements.filter(({ did, apiKeyHash }) => !isRevoked(revocations, did, apiKeyHash)).length;
  }

  /**
   * Takes a newer roster. Refuses what `openRoster` refuses, `roster-older`, and `profile-mismatch` for another block
   * size, since the slots are of the old one.
   */
  publish(bytes: Uint8Array): Roster {
    const roster = openRoster(this.#engine, bytes, { ...this.#trust, minVersion: 0 });
    const { version, profile } = this.#roster;
    if (roster.version <= version) {
      throw new Problem('roster-older', `the roster has version ${roster.version}, the relay has ${version}`);
    }
    if (roster.profile.blockSize !== profile.blockSize) {
      const sizes = `${roster.profile.blockSize} bytes a block, this relay runs with ${profile.blockSize}`;
      throw new Problem('profile-mismatch', `the roster says ${sizes}; restart it with the new roster`);
    }
    this.#roster = roster;
    this.#bytes = bytes;
    return roster;
  }

  /**
   * Takes a signed revocation. The operator may revoke anything; a device itself and the API key that it uses, with
   * the keys that `deviceOf` finds. Refuses `signature-invalid` for everybody else, and what its shape refuses.
   */
  revoke(
    bytes: Uint8Array,
    deviceOf: (did: string) => { readonly keys: VerifyingKeys; readonly apiKeyHash: string } | undefined,
  ): Revocation {
    const revocation = openDocumentBytes(this.#engine, REVOCATION, bytes, (unproved) =>
      unproved.by === 'operator' ? operatorKeys(this.#roster) : ownKeys(unproved, deviceOf(unproved.did)),
    );
    if (revocation.siteId !== this.#trust.siteId) {
      throw new Problem('site-mismatch', `the revocation is of site ${revocation.siteId}`);
    }
    const { did, what, apiKeyHash } = revocation;
    if (!this.isRevoked(did, apiKeyHash)) {
      if (this.#statements.length >= MAX_STATEMENTS) {
        throw new Problem('quota-exceeded', `${MAX_STATEMENTS} revocations are held; publish a roster with them`);
      }
      this.#statements = [...this.#statements, { did, what, ...(apiKeyHash === undefined ? {} : { apiKeyHash }) }];
    }
    return revocation;
  }

  /** Whether the device, or this API key of it, is revoked by the roster or by a statement. */
  isRevoked(did: string, apiKeyHash?: string): boolean {
    return isRevoked(this.#roster.revocations, did, apiKeyHash) || isRevoked(this.#statements, did, apiKeyHash);
  }

  /** Whether it is the device by which this relay tests itself. */
  isSelf(did: string): boolean {
    return did === this.#self?.device.did;
  }

  /** Whose word is a grant for `did`: the operator's, and for `self` its own. */
  grantKeys(did: string): VerifyingKeys {
    return this.isSelf(did) ? this.#self!.keys : operatorKeys(this.#roster);
  }

  /** The roster's entry of a device that is not revoked; that of `self`, which stands in none. */
  member(did: string): RosterDevice | undefined {
    if (this.isSelf(did)) return this.#self!.device;
    return this.isRevoked(did) ? undefined : deviceWithDid(this.#roster, did);
  }
}

function ownKeys(
  unproved: Revocation,
  device: { readonly keys: VerifyingKeys; readonly apiKeyHash: string } | undefined,
): VerifyingKeys {
  const own = device && (unproved.what === 'device' || unproved.apiKeyHash === device.apiKeyHash);
  if (!own) throw new Problem('signature-invalid', 'the device is not registered here, or the API key is not its own');
  return device.keys;
}
