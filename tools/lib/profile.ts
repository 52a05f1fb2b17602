/**
 * Relay profiles: what `--relay iot` names. A profile says where the relay is and which keys it and the operator
 * must have; none of this is ever learned from the network.
 */
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { KEM_PUBLIC_KEY_BYTES } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
import { check, list, type Of, object, record, text } from '../../protocol/shape.ts';
import { bytesText, nameText, pinText, siteIdText } from '../../protocol/shapes.ts';
import { readFileBounded, writeFileAtomic } from './files.ts';

const profile = object(
  {
    /** Address of the relay's listener for this device's zone. */
    url: text('an https:// address with a port', 10, 300, /^https:\/\/[A-Za-z0-9.:[\]-]+$/),
    /** Pins of the relay's TLS key: one, or two while it is being replaced. */
    relayPins: list(pinText, 1, 2, String),
    /** Pin of the key that signs the relay's tree heads. */
    logPin: pinText,
    operatorKeyHash: pinText,
    siteId: siteIdText,
  },
  {
    /** X-Wing key of the auditor, base64url: exports of the audit log are sealed to it. */
    exportTo: bytesText(KEM_PUBLIC_KEY_BYTES),
  },
);
export type Profile = Of<typeof profile>;

const configFile = object({ profiles: record(nameText, profile, 64) });
type ConfigFile = Of<typeof configFile>;

/** Far above 64 profiles; the time that YAML takes grows with the square of the keys. */
const LIMIT = 65_536;
/** No aliases, no keys but texts, no warnings of the library on stderr. */
const YAML = { maxAliasCount: 0, stringKeys: true, logLevel: 'error' } as const;

/** The profile called `name`; refuses `profile-missing` and `config-invalid`. */
export function readProfile(configFolder: string, name: string): Profile {
  const path = configPath(configFolder);
  const { profiles } = readConfig(path);
  const found = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (!found) {
    const known = Object.keys(profiles).join(', ') || 'none';
    throw new Problem('profile-missing', `${path} has no relay profile "${name}" (it has: ${known})`);
  }
  return found;
}

/** Adds or replaces one profile. */
export function writeProfile(configFolder: string, name: string, value: Profile): void {
  const path = configPath(configFolder);
  const { profiles } = readConfig(path);
  writeFileAtomic(path, stringify({ profiles: { ...profiles, [name]: check(profile, value) } }), 0o644);
}

function configPath(configFolder: string): string {
  return join(configFolder, 'config.yaml');
}

function readConfig(path: string): ConfigFile {
  const bytes = readFileBounded(path, LIMIT);
  if (!bytes) return { profiles: {} };
  try {
    return check(configFile, parse(Buffer.from(bytes).toString('utf8'), YAML));
  } catch (thrown) {
    throw new Problem('config-invalid', `${path}: ${(thrown as Error).message.split('\n')[0]}`);
  }
}
