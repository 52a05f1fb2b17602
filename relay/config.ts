/**
 * Where the relay's configuration comes from: one YAML file, or the environment. What it may hold is said by
 * protocol/config.ts; a refusal names the file and the line.
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Document, isNode, LineCounter, parseDocument, visit } from 'yaml';
import { DEFAULT_LISTENER, parseRelayConfig, type RelayConfig } from '../protocol/config.ts';
import { asProblem, Problem } from '../protocol/problem.ts';

/** Far above any honest configuration; the time that YAML takes grows with the square of the keys. */
export const MAX_FILE_BYTES = 65_536;

/** The environment variables that the relay reads. */
export const ENVIRONMENT = {
  GHOSTPIPE_CONFIG: 'path of the configuration file, when --config is not given',
  RELAY_MODE: 'mode of the relay: iot',
  LICENSE_KEY: 'licence key (plk_...); takes the place of licenceKey in the file',
  PORT: 'port of the one listener when there is no configuration file (default 3000)',
} as const;
type Environment = Readonly<Partial<Record<keyof typeof ENVIRONMENT, string | undefined>>>;

/**
 * The configuration of `file`, of the file that the environment names, or of the environment alone. Refuses
 * `config-missing` and `config-invalid`.
 */
export async function loadConfig(file: string | undefined, environment: Environment): Promise<RelayConfig> {
  const path = file ?? environment.GHOSTPIPE_CONFIG;
  if (!path) return configOfEnvironment(environment);
  const { licenceKey } = configOfEnvironment({ ...environment, PORT: undefined });
  const config = resolvePaths(parseConfigFile(await readConfigFile(path), path), path);
  return { ...config, licenceKey: licenceKey ?? config.licenceKey };
}

/** Parses the text of a configuration file; `path` is for messages. Refuses `config-invalid` with file and line. */
export function parseConfigFile(text: string, path: string): RelayConfig {
  const lines = new LineCounter();
  const refuse = (offset: number, fact: string): Problem =>
    new Problem('config-invalid', `${path}:${lines.linePos(offset).line}: ${fact}`);
  const document = parseYaml(text, lines, () => refuse(0, 'is nested too deep'));
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault) throw refuse(fault.pos[0], fault.message);
  visit(document, {
    Alias(_key, node) {
      throw refuse(node.range?.[0] ?? 0, 'aliases are not allowed');
    },
  });
  try {
    return parseRelayConfig(document.toJS());
  } catch (thrown) {
    const problem = asProblem(thrown);
    throw refuse(offsetOf(document, problem.path), problem.detail);
  }
}

/** Keys are texts: printing a key that is a map of maps takes a time without bound. */
function parseYaml(text: string, lineCounter: LineCounter, tooDeep: () => Problem): Document {
  try {
    return parseDocument(text, { lineCounter, strict: true, uniqueKeys: true, stringKeys: true, prettyErrors: false });
  } catch (thrown) {
    throw thrown instanceof RangeError ? tooDeep() : thrown;
  }
}

/** The configuration of the environment alone; refuses `config-invalid`. */
export function configOfEnvironment({ RELAY_MODE, LICENSE_KEY, PORT }: Environment): RelayConfig {
  try {
    return parseRelayConfig({
      ...(RELAY_MODE ? { mode: RELAY_MODE } : {}),
      ...(LICENSE_KEY ? { licenceKey: LICENSE_KEY } : {}),
      listeners: [{ ...DEFAULT_LISTENER, ...(PORT ? { port: Number(PORT) } : {}) }],
    });
  } catch (thrown) {
    throw new Problem('config-invalid', `environment: ${asProblem(thrown).detail}`);
  }
}

async function readConfigFile(path: string): Promise<string> {
  const { size } = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new Problem('config-missing', `${path} cannot be read (${error.code})`);
  });
  if (size > MAX_FILE_BYTES)
    throw new Problem('config-invalid', `${path} has ${size} bytes, at most ${MAX_FILE_BYTES}`);
  return readFile(path, 'utf8');
}

/** Paths in a file are relative to the file. */
function resolvePaths(config: RelayConfig, file: string): RelayConfig {
  const from = (path: string) => resolve(dirname(file), path);
  return {
    ...config,
    seedFile: config.seedFile === null ? null : from(config.seedFile),
    store: config.store.kind === 'tmpfs' ? { ...config.store, path: from(config.store.path) } : config.store,
    audit: { ...config.audit, stick: config.audit.stick && { path: from(config.audit.stick.path) } },
    site: config.site && { ...config.site, rosterFile: from(config.site.rosterFile) },
    appliance: config.appliance && {
      statement: from(config.appliance.statement),
      self: from(config.appliance.self),
      synchronized: from(config.appliance.synchronized),
    },
  };
}

/** Offset of the value at `path` (as `listeners[0].tls`), or of the nearest value around it that exists. */
function offsetOf(document: Document, path: string): number {
  const steps = [...path.matchAll(/[^.[\]]+/g)].map(([step]) => (/^\d+$/.test(step) ? Number(step) : step));
  for (let length = steps.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(steps.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
