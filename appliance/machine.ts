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
  const words = kernelText(commandLine).split(/\s+/);
  const hex = words.find((word) => word.startsWith(`${ROOT_HASH_WORD}=`))?.slice(ROOT_HASH_WORD.length + 1);
  return hex === undefined ? null : toBase64Url(fromHex(hex, 32));
}

/** Where the kernel lists network interfaces, and where udev notes which it is done with. */
export interface InterfacePlaces {
  readonly interfaces: string;
  readonly udev: string;
}

/**
 * The name of the interface that the configuration means: its own, or that of the adapter with its MAC address. One that
 * udev is not done with does not count yet: its name may still change. Refuses `interface-missing`.
 */
export function interfaceName({ name, mac }: NetworkInterface, places: InterfacePlaces): string {
  const present = readdirSync(places.interfaces).filter((entry) => isSettled(entry, places));
  const found = present.find((entry) =>
    name === undefined ? kernelText(places.interfaces, entry, 'address') === mac : entry === name,
  );
  if (found !== undefined) return found;
  const wanted = name === undefined ? `with the MAC address ${mac}` : `called ${name}`;
  throw new Problem('interface-missing', `no network interface ${wanted}; there are ${present.join(', ') || 'none'}`);
}

/** A host without udev has nobody to wait for. */
function isSettled(entry: string, { interfaces, udev }: InterfacePlaces): boolean {
  return !existsSync(udev) || existsSync(join(udev, `n${kernelText(interfaces, entry, 'ifindex')}`));
}

/** Files of the kernel have no size before they are read, and are short. */
function kernelText(...path: string[]): string {
  const file = join(...path);
  return existsSync(file) ? readFileSync(file, 'latin1').trim() : '';
}
