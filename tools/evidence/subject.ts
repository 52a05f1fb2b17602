/** What a run is about: the software as it stands in a folder, and one configuration of the relay. */
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { canonicalBytes } from '../../protocol/canonical.ts';
import { parseRelayConfig, type RelayConfig } from '../../protocol/config.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { readFileBounded } from '../lib/files.ts';
import { readVersion } from '../lib/version.ts';
import type { Subject } from './record.ts';

/** The files of which the software consists. */
const SOFTWARE = ['{protocol,relay,tools}/**/*.ts', 'bin/*', 'package.json', 'package-lock.json'];
const CONFIG_LIMIT = 65_536;

/** A relay's configuration as it was written, and as it is meant. */
export interface GivenConfig {
  readonly written: Readonly<Record<string, unknown>>;
  readonly config: RelayConfig;
}

/** Reads a relay.yaml; refuses `config-missing` and `config-invalid`. */
export function readRelayConfig(path: string): GivenConfig {
  const bytes = readFileBounded(path, CONFIG_LIMIT);
  if (!bytes) throw new Problem('config-missing', `${path} does not exist`);
  try {
    const written = parse(Buffer.from(bytes).toString('utf8'), {
      maxAliasCount: 0,
      stringKeys: true,
      logLevel: 'error',
    });
    return { written, config: parseRelayConfig(written) };
  } catch (thrown) {
    throw new Problem('config-invalid', `${path}: ${asProblem(thrown).detail.split('\n')[0]}`);
  }
}

/** The configuration of a new site in `template`, without what makes it that site. */
export function defaultConfig(template: string): GivenConfig {
  const { listeners, store } = readRelayConfig(join(template, 'site', 'relay', 'relay.yaml')).written;
  const written = { listeners, store };
  return { written, config: parseRelayConfig(written) };
}

/** On what the software runs. */
export type Place = Pick<Subject, 'board' | 'imageDigest'>;

/** The software as a program on somebody's host. */
export const ON_A_HOST: Place = { board: 'host', imageDigest: '' };

/** The subject of a run over the software in `project` with this configuration. */
export async function subjectOf(project: string, config: RelayConfig, on: Place = ON_A_HOST): Promise<Subject> {
  const { version } = await readVersion();
  return {
    version,
    softwareDigest: softwareDigest(project),
    configHash: createHash('sha256')
      .update(canonicalBytes({ ...config, licenceKey: null }))
      .digest('hex'),
    ...on,
  };
}

/** SHA-256 over the files of the software: name, length and content of each, in the order of the names. */
function softwareDigest(project: string): string {
  const hash = createHash('sha256');
  for (const path of globSync(SOFTWARE, { cwd: project }).sort()) {
    const content = readFileSync(join(project, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}
