/** The Debian packages that some suites need: found by a binary that each brings, or a file by its whole path. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { CannotRun, ROOT } from '../../bin/install.mjs';

/**
 * @typedef {{ binary: string, suites: readonly string[], reason: string }} Package
 */

/**
 * Makes sure that the packages for these suites are there: as root it installs the missing ones without a question,
 * else it throws `CannotRun` with the command that does.
 * @param {readonly string[]} suites
 * @param {(text: string) => void} say
 */
export function ensurePackages(suites, say) {
  const missing = missingPackages(readPackages(), suites, onPath);
  if (missing.length === 0) return;
  const names = missing.join(' ');
  const command = `apt-get update && apt-get install -y --no-install-recommends ${names}`;
  if (process.getuid?.() !== 0) {
    throw new CannotRun(
      `these tests need Debian packages that are not installed: ${names}\n` +
        `  sudo sh -c '${command}'\n` +
        '  or run only the tests that need none: npm run test:unit',
    );
  }
  say(`installing Debian packages: ${names}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status } = spawnSync('sh', ['-c', command], { stdio: ['ignore', 2, 2], env });
  const stillMissing = missingPackages(readPackages(), suites, onPath);
  if (status !== 0 || stillMissing.length > 0) {
    throw new CannotRun(`apt-get could not install: ${stillMissing.join(' ') || names}`);
  }
}

/**
 * Names of the packages that one of the suites needs and whose binary `has` does not find.
 * @param {Readonly<Record<string, Package>>} packages
 * @param {readonly string[]} suites
 * @param {(binary: string) => boolean} has
 * @returns {string[]}
 */
export function missingPackages(packages, suites, has) {
  return Object.entries(packages)
    .filter(([, { binary, suites: users }]) => users.some((user) => suites.includes(user)) && !has(binary))
    .map(([name]) => name);
}

/** @returns {Record<string, Package>} */
export function readPackages() {
  return JSON.parse(readFileSync(join(ROOT, 'test', 'debian-packages.json'), 'utf8'));
}

/**
 * @param {string} binary
 * @returns {boolean}
 */
export function onPath(binary) {
  if (isAbsolute(binary)) return existsSync(binary);
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, binary), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
