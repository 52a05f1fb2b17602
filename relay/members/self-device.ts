/**
 * The device `self`, by which an appliance tests its own relay: made anew at each boot, known to this relay alone, in no
 * roster. It may send to itself and to nobody else, at every listener that carries blocks, and holds one slot at most.
 * It signs its own grant; that this relay takes it follows from the file alone.
 */
import { parseJson } from '../../protocol/canonical.ts';
import type { VerifyingKeys } from '../../protocol/engine/engine.ts';
import { keysFromText } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import type { RosterDevice } from '../../protocol/roster.ts';
import { SELF_FILE_LIMIT, SELF_NAME, selfFile } from '../../protocol/self-file.ts';
import { check } from '../../protocol/shape.ts';
import { readSiteFile } from './site-file.ts';

export interface SelfDevice {
  /** As a roster would describe it. */
  readonly device: RosterDevice;
  /** Verify its grant. */
  readonly keys: VerifyingKeys;
}

/** Reads the public part of `self`; refuses `config-missing` and `file-invalid`. */
export async function readSelf(path: string): Promise<SelfDevice> {
  const { did, keys } = await readJson(path, SELF_FILE_LIMIT, (value) => check(selfFile, value));
  return { device: { name: SELF_NAME, did, roles: ['send', 'receive'], zone: 'management' }, keys: keysFromText(keys) };
}

/** Reads a small JSON file that the appliance rendered; refuses `config-missing` and `file-invalid`. */
export async function readJson<T>(path: string, limit: number, parse: (value: unknown) => T): Promise<T> {
  const bytes = await readSiteFile(path, limit);
  try {
    return parse(parseJson(bytes, limit));
  } catch (thrown) {
    throw new Problem('file-invalid', `${path}: ${(thrown as Error).message}`);
  }
}
