/** What the device itself says: which image runs, by which verity root hash, and which network interfaces there are. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson } from '../protocol/canonical.ts';
import { Problem } from '../protocol/problem.ts';
import { check, type Of, object, oneOf, text } from '../protocol/shape.ts';
import { timeMs, version1 } from '../protocol/shapes.ts';
import { APPLIANCE_BOARDS, type NetworkInterface } from '../protocol/site-config.ts';
import { fromHex, toBase64Url } from '../protocol/text.ts';
import { readFileBounded } from '../tools/lib/files.ts';
import { ROOT_HASH_WORD } from './layout.ts';

const LIMIT = 65_536;

const imageFile = object({
  v: version1,
  version: text('a version', 1, 64, /^[A-Za-z0-9.+-]+$/),
  board: oneOf(APPLIANCE_BOARDS),
  builtMs: timeMs,
});
export type ImageFacts = Of<typeof imageFile>;

/** Reads what the image says of itself; refuses `file-invalid`. */
export function readImageFacts(path: string): ImageFacts {
  const bytes = readFileBounded(path, LIMIT);
  if (!bytes) throw new Problem('file-invalid', `${path} does not exist: this is no image of ours`);
  return check(imageFile, parseJson(bytes, LIMIT));
}

/** The verity root hash of the kernel's command line in base64url; null when the root has none. */
export function rootHash(commandLine: string): string | null {
  const words = readKernelText(commandLine).split(/\s+/);
  const hex = words.find((word) => word.startsWith(`${ROOT_HASH_WORD}=`))?.slice(ROOT_HASH_WORD.length + 1);
  return hex === undefined ? null : toBase64Url(fromHex(hex, 32));
}

/**
 * The name of the interface that the configuration means: its own, or that of the adapter with its MAC address, as the
 * kernel lists them in `folder`. Refuses `interface-missing`.
 */
export function interfaceName({ name, mac }: NetworkInterface, folder: string): string {
  const present = readdirSync(folder);
  const found = present.find((entry) => (name === undefined ? macOf(folder, entry) === mac : entry === name));
  if (found !== undefined) return found;
  const wanted = name === undefined ? `with the MAC address ${mac}` : `called ${name}`;
  throw new Problem('interface-missing', `no network interface ${wanted}; there are ${present.join(', ') || 'none'}`);
}

function macOf(folder: string, entry: string): string {
  return readKernelText(join(folder, entry, 'address')).trim();
}

/** Files of the kernel have no size before they are read, and are short. */
function readKernelText(path: string): string {
  return existsSync(path) ? readFileSync(path, 'latin1') : '';
}
