/**
 * The operator's folder of one site:
 *
 *     operator-seed       the root of trust of the site                                          secret
 *     site.json           name, id, addresses of the relay, pins
 *     rosters/N.json      roster version N as it was signed; written once, the highest is the current one
 *     grants/NAME.json    the newest grant of each device
 *     revocations/N.json  the statement that went with roster N, for a relay that is reached by hand
 *     appliance/N.json    version N of the appliance's configuration as it was signed; written once
 *     relay/              all that the relay's host needs: relay.yaml, roster.json, identity-seed (secret)
 *     next-relay-seed     the identity that the relay will have, while it is being replaced              secret
 *
 * A change becomes real when its roster stands in rosters/. That file is made, never replaced, so of two operators
 * who change a site at the same moment one is refused and nothing is signed twice under one version.
 */
import { existsSync, linkSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalBytes, canonicalText, parseJson } from '../../protocol/canonical.ts';
import { type Engine, KEM_PUBLIC_KEY_BYTES, type SigningKey } from '../../protocol/engine/engine.ts';
import { GRANT, type Grant } from '../../protocol/grant.ts';
import { keysText, operatorKeyHash } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import { REVOCATION, type RevokedEntry } from '../../protocol/revocation.ts';
import { openRoster, operatorKeys, ROSTER, type Roster, type RosterDevice } from '../../protocol/roster.ts';
import { check, list, type Of, object, text } from '../../protocol/shape.ts';
import { bytesText, nameText, pinText, siteIdText, version1 } from '../../protocol/shapes.ts';
import { openDocumentBytes, type SignedJson, signDocument } from '../../protocol/signed.ts';
import { openSiteConfig, SITE_CONFIG, type SiteConfig } from '../../protocol/site-config.ts';
import { fromBase64Url, toBase64Url } from '../../protocol/text.ts';
import { readFileBounded, readSecretFile, writeFileAtomic } from '../lib/files.ts';

/** Address of a relay listener, with its port. */
export const urlText = text('an https:// address with a port', 10, 300, /^https:\/\/[A-Za-z0-9.:[\]-]+:\d{1,5}$/);

const siteFile = object(
  {
    v: version1,
    name: nameText,
    siteId: siteIdText,
    operatorKeyHash: pinText,
    /** Where the devices of each zone reach the relay. */
    urls: object({ ot: urlText, it: urlText, management: urlText }),
    /** One pin of the relay's TLS key, or two while it is being replaced. */
    relayPins: list(pinText, 1, 2, String),
    logPin: pinText,
  },
  {
    /** The auditor's X-Wing key, which exports of the audit log are sealed to. */
    exportTo: bytesText(KEM_PUBLIC_KEY_BYTES),
  },
);
export type SiteSettings = Of<typeof siteFile>;
export type SiteUrls = SiteSettings['urls'];

const LIMIT = 65_536;

/** A roster that is signed but not yet in force. */
export interface RosterDraft {
  readonly roster: Roster;
  readonly bytes: Uint8Array;
}

export class SiteFolder {
  readonly path: string;
  readonly #engine: Engine;
  readonly #operator: SigningKey;
  #settings: SiteSettings;
  #roster: Roster;

  /** Opens the folder; refuses `config-missing`, `permissions-open`, `file-invalid` and what `openRoster` refuses. */
  constructor(engine: Engine, path: string) {
    this.path = path;
    this.#engine = engine;
    this.#settings = readSettings(path);
    this.#operator = engine.signingKey(readSeed(join(path, 'operator-seed')));
    const actual = operatorKeyHash(this.#operator.publicKeys);
    if (actual !== this.#settings.operatorKeyHash) {
      throw new Problem(
        'operator-mismatch',
        `operator-seed gives ${actual}, site.json says ${this.#settings.operatorKeyHash}`,
      );
    }
    this.#roster = this.#open(newestRoster(path));
  }

  get settings(): SiteSettings {
    return this.#settings;
  }

  get roster(): Roster {
    return this.#roster;
  }

  /** The current roster as it was signed. */
  get rosterBytes(): Uint8Array {
    return requiredFile(rosterPath(this.path, this.#roster.version), ROSTER.limit);
  }

  /** Says where the relay is reached from now on; enrolled devices keep the address that they were given. */
  setUrls(urls: SiteUrls): void {
    this.#settings = writeSettings(this.path, { ...this.#settings, urls });
  }

  /** Says which keys the relay may show from now on; enrolled devices keep those that they were given. */
  setPins(pins: Pick<SiteSettings, 'relayPins' | 'logPin'>): void {
    this.#settings = writeSettings(this.path, { ...this.#settings, ...pins });
  }

  /** Says whose key exports are sealed to from now on, null for nobody's. */
  setExportTo(key: Uint8Array | null): void {
    const { exportTo, ...others } = this.#settings;
    this.#settings = writeSettings(this.path, key ? { ...others, exportTo: toBase64Url(key) } : others);
  }

  /** Signs `next` as the roster after the current one. Nothing is written; refuses names that lead nowhere. */
  draft(next: Roster): RosterDraft {
    const roster = { ...next, version: this.#roster.version + 1, issuedMs: Date.now() };
    const bytes = canonicalBytes(signDocument(this.#engine, this.#operator, ROSTER, roster));
    return { roster: this.#open(bytes), bytes };
  }

  /** Puts a draft in force, here and in the relay's folder; refuses `already-exists` when another change was first. */
  commit(draft: RosterDraft): void {
    writeFileOnce(rosterPath(this.path, draft.roster.version), draft.bytes);
    writeFileAtomic(join(this.path, 'relay', 'roster.json'), draft.bytes, 0o644);
    this.#roster = draft.roster;
  }

  /** Signs a grant. Its serial is the version of the roster that it is issued with, so it grows with each. */
  signGrant(device: RosterDevice, apiKeyHash: string, serial: number): SignedJson {
    const { siteId } = this.#settings;
    const grant = { v: 1, siteId, serial, ...device, apiKeyHash, issuedMs: Date.now() } as const;
    return signDocument(this.#engine, this.#operator, GRANT, grant);
  }

  /** Remembers `grant` as the newest one of `name`. */
  keepGrant(name: string, grant: SignedJson): void {
    writeFileAtomic(grantPath(this.path, name), canonicalText(grant), 0o644);
  }

  /** The newest grant of a device that is or was enrolled under `name`. */
  grant(name: string): Grant | undefined {
    const bytes = readFileBounded(grantPath(this.path, name), GRANT.limit);
    return bytes ? openDocumentBytes(this.#engine, GRANT, bytes, () => operatorKeys(this.#roster)) : undefined;
  }

  /** Writes the operator's signed statement that `entry` is revoked; gives its path. */
  writeRevocation(entry: RevokedEntry, serial: number): string {
    const { siteId } = this.#settings;
    const statement = { v: 1, siteId, serial, by: 'operator', ...entry, issuedMs: Date.now() } as const;
    const path = join(this.path, 'revocations', `${serial}.json`);
    writeFileAtomic(path, canonicalText(signDocument(this.#engine, this.#operator, REVOCATION, statement)), 0o644);
    return path;
  }

  /** Signs what an appliance is to be as the version after the last one, and keeps it; gives document and version. */
  signAppliance(settings: Pick<SiteConfig, 'appliance' | 'relay'>): { version: number; bytes: Uint8Array } {
    const folder = join(this.path, 'appliance');
    const version = newestVersion(folder) + 1;
    const config: SiteConfig = {
      v: 1,
      siteId: this.#settings.siteId,
      operator: keysText(this.#operator.publicKeys),
      version,
      issuedMs: Date.now(),
      minRosterVersion: this.#roster.version,
      ...settings,
    };
    const bytes = canonicalBytes(signDocument(this.#engine, this.#operator, SITE_CONFIG, config));
    openSiteConfig(this.#engine, bytes, this.#settings.operatorKeyHash);
    writeFileOnce(join(folder, `${version}.json`), bytes, 0o600);
    return { version, bytes };
  }

  #open(bytes: Uint8Array): Roster {
    return openRoster(this.#engine, bytes, { ...this.#settings, minVersion: 0 });
  }
}

/** Writes site.json. */
export function writeSettings(folder: string, settings: SiteSettings): SiteSettings {
  const checked = check(siteFile, settings);
  writeFileAtomic(join(folder, 'site.json'), `${JSON.stringify(checked, null, 2)}\n`, 0o644);
  return checked;
}

/** Where roster `version` of a site stands. */
export function rosterPath(folder: string, version: number): string {
  return join(folder, 'rosters', `${version}.json`);
}

function grantPath(folder: string, name: string): string {
  return join(folder, 'grants', `${check(nameText, name)}.json`);
}

/** Reads site.json; refuses `config-missing` and `file-invalid`. */
export function readSettings(folder: string): SiteSettings {
  const path = join(folder, 'site.json');
  const bytes = readFileBounded(path, LIMIT);
  if (!bytes) throw new Problem('config-missing', `${folder} holds no site (no site.json)`);
  try {
    return check(siteFile, parseJson(bytes, LIMIT));
  } catch (thrown) {
    throw new Problem('file-invalid', `${path}: ${(thrown as Problem).detail}`);
  }
}

/** Reads a seed; refuses `key-missing`, `permissions-open` and `file-invalid`. */
export function readSeed(path: string): Uint8Array {
  const bytes = readSecretFile(path, 256);
  if (!bytes) throw new Problem('key-missing', `${path} does not exist`);
  const seed = fromBase64Url(Buffer.from(bytes).toString('latin1').trim());
  if (seed.length !== 32) throw new Problem('file-invalid', `${path} holds ${seed.length} bytes, a seed has 32`);
  return seed;
}

function newestRoster(folder: string): Uint8Array {
  return requiredFile(rosterPath(folder, newestVersion(join(folder, 'rosters'))), ROSTER.limit);
}

/** The highest N of the files `N.json`; 0 for none. */
function newestVersion(folder: string): number {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return Math.max(0, ...names.flatMap((name) => /^(\d+)\.json$/.exec(name)?.[1] ?? []).map(Number));
}

function requiredFile(path: string, limit: number): Uint8Array {
  const bytes = readFileBounded(path, limit);
  if (!bytes) throw new Problem('file-invalid', `${path} does not exist`);
  return bytes;
}

/** Like `writeFileAtomic`, but refuses `already-exists` instead of replacing. */
function writeFileOnce(path: string, bytes: Uint8Array, mode = 0o644): void {
  const temporary = `${path}.${process.pid}.new`;
  writeFileAtomic(temporary, bytes, mode);
  try {
    linkSync(temporary, path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    throw new Problem('already-exists', `${path} was written by another change at the same moment`);
  } finally {
    unlinkSync(temporary);
  }
}
