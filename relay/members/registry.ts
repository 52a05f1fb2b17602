/** Who is registered: by identifier, by API key, by KEM key. In RAM only; devices register again by themselves. */
import type { Engine } from '../../protocol/engine/engine.ts';
import { apiKeyHash } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import type { Registration } from '../../protocol/registration.ts';
import type { RosterDevice } from '../../protocol/roster.ts';
import type { Entitlements } from './entitlements.ts';
import type { RosterStore } from './roster-store.ts';

/** A registered device as the current roster describes it. */
export interface Member {
  readonly device: RosterDevice;
  readonly registration: Registration;
}

export class Registry {
  readonly #engine: Engine;
  readonly #roster: RosterStore;
  readonly #entitlements: Entitlements;
  readonly #byDid = new Map<string, Registration>();
  /**
   * DIDs behind each API key hash and each key id, of the registrations in `#byDid` and no others. A key statement does
   * not prove possession, so several devices may name one KEM key: none of them can keep the others out.
   */
  readonly #byApiKeyHash = new Map<string, string>();
  readonly #byKeyId = new Map<string, Set<string>>();

  constructor(engine: Engine, roster: RosterStore, entitlements: Entitlements) {
    this.#engine = engine;
    this.#roster = roster;
    this.#entitlements = entitlements;
  }

  /** How many devices of the site are registered. */
  get size(): number {
    return [...this.#byDid.keys()].filter((did) => !this.isSelf(did)).length;
  }

  /** Whether it is the device by which this relay tests itself. */
  isSelf(did: string): boolean {
    return this.#roster.isSelf(did);
  }

  /**
   * Takes an opened registration; the newest grant and the newest key of a device count. Refuses `not-in-roster`,
   * `revoked`, `statement-older` and `quota-exceeded`.
   */
  register(registration: Registration): Member {
    const { grant, statement } = registration;
    if (this.#roster.isRevoked(grant.did, grant.apiKeyHash)) {
      throw new Problem('revoked', `${grant.name} or this API key of it is revoked`);
    }
    const device = this.#roster.member(grant.did);
    if (!device) throw new Problem('not-in-roster', `roster ${this.#roster.current.version} has no ${grant.did}`);
    const before = this.#byDid.get(grant.did);
    if (before) refuseOlder(before, registration);
    else if (!this.isSelf(grant.did) && this.size >= this.#entitlements.maxDevices) {
      throw new Problem('quota-exceeded', `${this.size} devices are registered, the licence allows as many`);
    }
    this.#drop(grant.did);
    this.#byDid.set(grant.did, registration);
    this.#byApiKeyHash.set(grant.apiKeyHash, grant.did);
    this.#byKeyId.set(statement.keyId, (this.#byKeyId.get(statement.keyId) ?? new Set()).add(grant.did));
    return { device, registration };
  }

  /** Whether the device is registered now; `enforce` has dropped those that may not be. */
  has(did: string): boolean {
    return this.#byDid.has(did);
  }

  withDid(did: string): Member | undefined {
    const registration = this.#byDid.get(did);
    const device = registration && this.#roster.member(did);
    return device && { device, registration };
  }

  /** The device with that API key, found by its hash. */
  withApiKey(apiKey: string): Member | undefined {
    const did = this.#byApiKeyHash.get(apiKeyHash(this.#engine, apiKey));
    return did === undefined ? undefined : this.withDid(did);
  }

  /** The devices that name the KEM key with that id (base64url) as their newest: one, unless somebody lies. */
  withKeyId(keyId: string): Member[] {
    return [...(this.#byKeyId.get(keyId) ?? [])].flatMap((did) => this.withDid(did) ?? []);
  }

  /** Drops every registration that the roster or a revocation no longer allows. */
  enforce(): void {
    for (const [did, { grant }] of [...this.#byDid]) {
      if (!this.#roster.member(did) || this.#roster.isRevoked(did, grant.apiKeyHash)) this.#drop(did);
    }
  }

  #drop(did: string): void {
    const registration = this.#byDid.get(did);
    if (!registration) return;
    this.#byDid.delete(did);
    this.#byApiKeyHash.delete(registration.grant.apiKeyHash);
    const holders = this.#byKeyId.get(registration.statement.keyId)!;
    holders.delete(did);
    if (holders.size === 0) this.#byKeyId.delete(registration.statement.keyId);
  }
}

function refuseOlder(before: Registration, after: Registration): void {
  if (after.grant.serial < before.grant.serial) {
    throw new Problem('revoked', `grant ${after.grant.serial} was replaced by grant ${before.grant.serial}`);
  }
  const [seen, sent] = [before.statement, after.statement];
  const otherKey = sent.generation === seen.generation && sent.keyId !== seen.keyId;
  if (sent.generation < seen.generation || otherKey) {
    throw new Problem(
      'statement-older',
      `key ${sent.keyId} is generation ${sent.generation}, ${seen.keyId} of generation ${seen.generation} was seen`,
    );
  }
}
