/**
 * What has to be there before any TypeScript of this project runs: the dependencies of package-lock.json, and with
 * them the pinned Node. Plain JavaScript, since the Node of the host runs it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const OLDEST_NODE = 20;
const PLATFORMS = ['linux-x64', 'linux-arm64'];

/** Why nothing can run here: one sentence for the user, exit code 3. */
export class CannotRun extends Error {
  /** @override */
  name = 'CannotRun';
}

/**
 * Makes sure that the dependencies are those of the lock file, and gives the path of the pinned Node.
 * Calls npm only when something is missing. Throws `CannotRun`.
 * @param {{ root?: string, withTests?: boolean }} [options] `withTests` asks for the development dependencies too.
 * @returns {string}
 */
export function ensureInstalled({ root = ROOT, withTests = false } = {}) {
  refuseUnsupportedHost(process.platform, process.arch, process.versions.node);
  const node = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  const reason = whyInstall(root, node, withTests);
  if (reason === '') return node;
  process.stderr.write(`ghostpipe: installing the dependencies of package-lock.json, because ${reason}\n`);
  install(root);
  const stillMissing = whyInstall(root, node, withTests);
  if (stillMissing !== '') throw new CannotRun(`npm ci ended without an error, but ${stillMissing}.`);
  return node;
}

/**
 * Throws `CannotRun` on a host that has no pinned Node or is too old to run npm and this file.
 * @param {string} platform
 * @param {string} arch
 * @param {string} version
 */
export function refuseUnsupportedHost(platform, arch, version) {
  if (!PLATFORMS.includes(`${platform}-${arch}`)) {
    throw new CannotRun(`Ghost Pipe runs on ${PLATFORMS.join(' and ')}; this machine is ${platform}-${arch}.`);
  }
  if (Number.parseInt(version, 10) < OLDEST_NODE) {
    throw new CannotRun(`Ghost Pipe needs Node ${OLDEST_NODE} or newer to start; this is Node ${version}.`);
  }
}

/**
 * What differs between the lock file and what npm says it installed; empty when nothing does.
 * @param {string} root
 * @param {string} node
 * @param {boolean} withTests
 * @returns {string}
 */
function whyInstall(root, node, withTests) {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return 'node_modules is missing or incomplete';
  if (!existsSync(node)) return `the pinned Node for ${process.platform}-${process.arch} is not there`;
  return difference(packagesOf(join(root, 'package-lock.json')), packagesOf(installed), withTests);
}

/**
 * The first package of `wanted` that is absent from `installed` or is another one there; empty when there is none.
 * Optional packages may be absent: they are for other platforms.
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, dev?: boolean, devOptional?: boolean }} Locked
 * @param {Record<string, Locked>} wanted
 * @param {Record<string, Locked>} installed
 * @param {boolean} withTests
 * @returns {string}
 */
export function difference(wanted, installed, withTests) {
  for (const [path, lock] of Object.entries(wanted)) {
    if (path === '' || (!withTests && lock.dev)) continue;
    const found = installed[path];
    if (!found) {
      if (lock.optional || lock.devOptional) continue;
      return `${path} ${lock.version} is missing`;
    }
    if (found.version !== lock.version) return `${path} is ${found.version}, not the ${lock.version} of the lock file`;
    if (found.integrity !== lock.integrity) return `${path} is not what the lock file pins`;
  }
  return '';
}

/**
 * @param {string} path
 * @returns {Record<string, Locked>}
 */
function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch (thrown) {
    throw new CannotRun(`${path} cannot be read: ${thrown instanceof Error ? thrown.message : thrown}`);
  }
}

/** @param {string} root */
function install(root) {
  // npm's own words go to stderr: stdout belongs to the program that is about to start.
  const options = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = spawnSync('npm', options, { cwd: root, stdio: ['ignore', 2, 2] });
  if (npm.error) throw new CannotRun(`npm cannot be started (${npm.error.message}); install npm and try again.`);
  if (npm.status !== 0) {
    throw new CannotRun('npm ci failed; its message is above. Is the package registry reachable from here?');
  }
}
