/** The seeds in a device folder: what nobody but the device may ever hold. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBase64Url } from '../../protocol/text.ts';
import type { IdentityFile, KemFile } from '../lib/device.ts';
import { deviceFolder } from '../lib/paths.ts';

/** Signing seed and X-Wing seeds of the device `name` that is enrolled in the configuration folder `config`. */
export function deviceSeeds(config: string, name: string): readonly Uint8Array[] {
  const folder = deviceFolder(config, name);
  const { seed } = readJson<IdentityFile>(join(folder, 'identity.json'));
  const { keys } = readJson<KemFile>(join(folder, 'kem.json'));
  return [seed, ...keys.map((key) => key.seed)].map(fromBase64Url);
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}
