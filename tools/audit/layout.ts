/**
 * The names in an audit export. An epoch is one folder:
 *
 *     checkpoint                               newest head: a copy, for tools that look for it
 *     checkpoints/<size>                       heads, whole signed notes
 *     tile/<L>/<N>[.p/<W>], tile/entries/...   C2SP tlog-tiles
 *     sealed/entries/...                       in place of tile/entries/... when the export is sealed to an auditor
 *     epoch                                    leaf 0 with its proof, C2SP tlog-proof
 *     vkeys.txt                                verifier keys, one a line
 *     proofs/<index>.tlog-proof
 *     consistency/<from>-<to>.add-checkpoint
 *     inbox/<origin hash>/<size>.cosig         cosignatures, on their way to the relay
 *
 * The root of an export is the folder of its newest epoch and has `manifest.json`, `index.html` and the older epochs in
 * `earlier/<epoch id>` besides. On a live stick each epoch is `epochs/<epoch id>`, beside `journal`.
 */
import { Problem } from '../../protocol/problem.ts';
import { fromDecimal } from '../../protocol/text.ts';
import { parseTilePath, type Tile, tilePath } from '../../protocol/tile.ts';

export const MANIFEST = 'manifest.json';
export const VIEWER = 'index.html';
/** Most epochs of one export. */
export const MAX_EPOCHS = 65_536;
/** Folder of the older epochs of an export. */
export const EARLIER = 'earlier';
/** Folder of the epochs of a live stick, and of its journal. */
export const EPOCHS = 'epochs';
export const JOURNAL = 'journal';
/** Folder of sealed bundles, in place of `tile`. */
const SEALED = 'sealed';
/** Folder of cosignatures on their way to the relay. */
export const INBOX = 'inbox';

/** Names in one folder of an epoch's tree, all together: a week of heads and four million records have 60,000. */
export const MAX_NAMES = 262_144;
/** What the root of an export has beside the files of its newest epoch. */
export const OF_THE_EXPORT: ReadonlySet<string> = new Set([MANIFEST, VIEWER, EARLIER, EPOCHS, JOURNAL]);

/** A file in the folder of an epoch. */
export type EpochFile =
  | { readonly kind: 'checkpoint' | 'statement' | 'verifier-keys' }
  | { readonly kind: 'head'; readonly size: number }
  | { readonly kind: 'tile'; readonly tile: Tile }
  /** The bundle `tile`, sealed. */
  | { readonly kind: 'sealed'; readonly tile: Tile }
  | { readonly kind: 'proof'; readonly index: number }
  | { readonly kind: 'growth'; readonly from: number; readonly to: number }
  | { readonly kind: 'cosignature'; readonly originHash: string; readonly size: number };

/** Folders in the folder of an epoch, by their whole path. */
const FOLDERS =
  /^(checkpoints|proofs|consistency|inbox(\/[0-9a-f]{64})?|(tile|sealed)(\/(\d|entries)(\/x\d{3}){0,5}(\/\d{3}\.p)?)?)$/;
const NUMBER = '(0|[1-9]\\d{0,15})';
const HEAD = new RegExp(`^checkpoints/${NUMBER}$`);
const PROOF = new RegExp(`^proofs/${NUMBER}\\.tlog-proof$`);
const GROWTH = new RegExp(`^consistency/${NUMBER}-${NUMBER}\\.add-checkpoint$`);
const COSIGNATURE = new RegExp(`^inbox/([0-9a-f]{64})/${NUMBER}\\.cosig$`);
const ORIGIN = /\/audit\/([0-9a-f]{32})$/;

/** Its path below the folder of the epoch, with "/" between. */
export function epochPath(file: EpochFile): string {
  switch (file.kind) {
    case 'checkpoint':
      return 'checkpoint';
    case 'statement':
      return 'epoch';
    case 'verifier-keys':
      return 'vkeys.txt';
    case 'head':
      return `checkpoints/${file.size}`;
    case 'tile':
      return tilePath(file.tile);
    case 'sealed':
      return tilePath(file.tile).replace(/^tile/, SEALED);
    case 'proof':
      return `proofs/${file.index}.tlog-proof`;
    case 'growth':
      return `consistency/${file.from}-${file.to}.add-checkpoint`;
    case 'cosignature':
      return `inbox/${file.originHash}/${file.size}.cosig`;
  }
}

/** The file that a path below the folder of an epoch names; undefined for one that is no part of an export. */
export function parseEpochPath(path: string): EpochFile | undefined {
  const file = parsed(path);
  return file && epochPath(file) === path ? file : undefined;
}

/** Whether a path below the folder of an epoch is that of a folder of the layout. */
export function isEpochSubfolder(path: string): boolean {
  return FOLDERS.test(path);
}

/** The id of the epoch of an origin, 32 hexadecimal digits; refuses `log-export-invalid`. */
export function epochIdOf(origin: string): string {
  const id = ORIGIN.exec(origin)?.[1];
  if (!id) throw new Problem('log-export-invalid', `the origin ${origin} does not end in /audit/ and 32 hex digits`);
  return id;
}

/** What the name of an epoch's folder must look like. */
export const EPOCH_ID: RegExp = /^[0-9a-f]{32}$/;

function parsed(path: string): EpochFile | undefined {
  if (path === 'checkpoint') return { kind: 'checkpoint' };
  if (path === 'epoch') return { kind: 'statement' };
  if (path === 'vkeys.txt') return { kind: 'verifier-keys' };
  try {
    if (path.startsWith('tile/')) return { kind: 'tile', tile: parseTilePath(path) };
    if (path.startsWith(`${SEALED}/entries/`))
      return { kind: 'sealed', tile: parseTilePath(path.replace(SEALED, 'tile')) };
    const [, size] = HEAD.exec(path) ?? [];
    if (size !== undefined) return { kind: 'head', size: fromDecimal(size) };
    const [, index] = PROOF.exec(path) ?? [];
    if (index !== undefined) return { kind: 'proof', index: fromDecimal(index) };
    const [, from, to] = GROWTH.exec(path) ?? [];
    if (from !== undefined) return { kind: 'growth', from: fromDecimal(from), to: fromDecimal(to!) };
    const [, originHash, signed] = COSIGNATURE.exec(path) ?? [];
    if (originHash !== undefined) return { kind: 'cosignature', originHash, size: fromDecimal(signed!) };
  } catch {
    return undefined; // a number above 2^53 - 1, or a tile that no tree has
  }
  return undefined;
}
