/**
 * A backup of a site: the operator's folder as one file, signed by the operator key that it holds. It is as secret as
 * the folder, since whoever has it can sign for the site.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { canonicalBytes } from '../../protocol/canonical.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { operatorKeyHash } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import { check, integer, type Of, object, record, text } from '../../protocol/shape.ts';
import { nameText, pinText, siteIdText, timeMs, version1 } from '../../protocol/shapes.ts';
import { type DocumentKind, openDocumentBytes, signDocument } from '../../protocol/signed.ts';
import { fromBase64Url, toBase64Url } from '../../protocol/text.ts';
import { readPlainFile, readSecretFile, writeFileAtomic } from '../lib/files.ts';
import { readSeed, SiteFolder } from './site-folder.ts';

const FILE_LIMIT = 1_048_576;
const MAX_FILES = 16_384;
const SECRETS: ReadonlySet<string> = new Set(['operator-seed', 'next-relay-seed', 'relay/identity-seed']);

/** A path in the folder of a site: of two parts at most, none of which begins with a dot. */
const pathText = text('a path in the folder of a site', 1, 130, /^(?!\.)[\w.-]{1,64}(\/(?!\.)[\w.-]{1,64})?$/);
const contentText = text('a file of up to 1 MiB in base64url', 0, 1_398_102, /^[\w-]*$/);

const body = object({
  v: version1,
  siteName: nameText,
  siteId: siteIdText,
  /** Version of the newest roster. */
  rosterVersion: integer(1, Number.MAX_SAFE_INTEGER),
  operatorKeyHash: pinText,
  madeMs: timeMs,
  files: record(pathText, contentText, MAX_FILES),
});
export type SiteBackup = Of<typeof body>;

export const SITE_BACKUP: DocumentKind<SiteBackup> = { label: 'ghostpipe/site-backup/v1', body, limit: 67_108_864 };

/** Writes the site in `folder` to `file` (mode 600), and reads it back. Refuses `already-exists`, and a folder that is no site. */
export function backUpSite(engine: Engine, folder: string, file: string, nowMs: number): SiteBackup {
  if (existsSync(file)) throw new Problem('already-exists', `${file} is there already`);
  const { settings, roster } = new SiteFolder(engine, folder);
  const backup: SiteBackup = {
    v: 1,
    siteName: settings.name,
    siteId: settings.siteId,
    rosterVersion: roster.version,
    operatorKeyHash: settings.operatorKeyHash,
    madeMs: nowMs,
    files: Object.fromEntries(pathsOf(folder).map((path) => [path, contentOf(folder, path)])),
  };
  const signer = engine.signingKey(readSeed(join(folder, 'operator-seed')));
  const bytes = canonicalBytes(signDocument(engine, signer, SITE_BACKUP, backup));
  if (bytes.length > SITE_BACKUP.limit) {
    throw new Problem(
      'file-invalid',
      `${folder} gives ${bytes.length} bytes, a backup has at most ${SITE_BACKUP.limit}`,
    );
  }
  writeFileAtomic(file, bytes);
  return readBackup(engine, file);
}

/** Reads a backup and checks its signatures by the key that it holds; refuses `operator-mismatch` too. */
export function readBackup(engine: Engine, file: string): SiteBackup {
  const bytes = readSecretFile(file, SITE_BACKUP.limit);
  if (!bytes) throw new Problem('file-invalid', `${file} does not exist`);
  return openDocumentBytes(engine, SITE_BACKUP, bytes, ({ files, operatorKeyHash: said }) => {
    const seed = fromBase64Url(
      Buffer.from(fromBase64Url(files['operator-seed'] ?? ''))
        .toString('latin1')
        .trim(),
    );
    if (seed.length !== 32) throw new Problem('file-invalid', `${file} holds no operator seed`);
    const { publicKeys } = engine.signingKey(seed);
    const actual = operatorKeyHash(publicKeys);
    if (actual !== said) throw new Problem('operator-mismatch', `${file} holds the key ${actual}, and says ${said}`);
    return publicKeys;
  });
}

/**
 * Puts a backup into `folder`, whole or not at all: the site is opened where it was unpacked, then moved. Refuses
 * `already-exists`, and what `readBackup` and opening the site refuse.
 */
export function restoreSite(engine: Engine, file: string, folder: string): SiteBackup {
  const to = resolve(folder);
  if (existsSync(to)) throw new Problem('already-exists', `${to} is there already: a restore replaces nothing`);
  const backup = readBackup(engine, file);
  mkdirSync(dirname(to), { recursive: true });
  const fresh = mkdtempSync(join(dirname(to), `.${basename(to)}-`));
  try {
    unpack(engine, backup, fresh);
    renameSync(fresh, to);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return backup;
}

/** Writes the files of a backup into an empty folder and opens the site there; refuses what the site does not open with. */
function unpack(engine: Engine, { files, siteId, rosterVersion }: SiteBackup, folder: string): void {
  for (const [path, content] of Object.entries(files)) {
    writeFileAtomic(join(folder, path), fromBase64Url(content), SECRETS.has(path) ? 0o600 : 0o644);
  }
  const { settings, roster } = new SiteFolder(engine, folder);
  if (settings.siteId !== siteId || roster.version !== rosterVersion) {
    throw new Problem('file-invalid', `the backup is of roster ${rosterVersion}, its newest one is ${roster.version}`);
  }
}

/** The files of a site, by their paths; refuses `file-invalid` for a name that a backup cannot hold. */
function pathsOf(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  const below = entries.flatMap((entry) => {
    if (!entry.isDirectory()) return [entry.name];
    return readdirSync(join(folder, entry.name)).map((name) => `${entry.name}/${name}`);
  });
  for (const path of below) {
    try {
      check(pathText, path);
    } catch {
      throw new Problem('file-invalid', `${join(folder, path)} is no file of a site: move it away`);
    }
  }
  return below.sort();
}

function contentOf(folder: string, path: string): string {
  const bytes = readPlainFile(join(folder, path), FILE_LIMIT);
  if (!bytes) throw new Problem('file-invalid', `${join(folder, path)} is no file`);
  return toBase64Url(bytes);
}
