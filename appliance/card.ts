/** The card: the four files of the FAT partition, each read once and within its bound. */
import { join } from 'node:path';
import type { Engine } from '../protocol/engine/engine.ts';
import { asProblem, Problem } from '../protocol/problem.ts';
import { openRoster, type Roster } from '../protocol/roster.ts';
import { CARD_FILES, openSiteConfig, parsePin, type SiteConfig } from '../protocol/site-config.ts';
import { fromBase64Url } from '../protocol/text.ts';
import { readPlainFile } from '../tools/lib/files.ts';

type CardFile = keyof typeof CARD_FILES;

/** What the files say, once it is proved that they are one operator's and belong together. */
export interface Card {
  readonly config: SiteConfig;
  /** The document as it was signed. */
  readonly configBytes: Uint8Array;
  readonly operatorPin: string;
  readonly roster: Roster;
  readonly rosterBytes: Uint8Array;
  /** The relay's identity, 32 bytes. */
  readonly seed: Uint8Array;
}

/**
 * Reads and verifies what is mounted at `folder`. Refuses `card-missing` when nothing of ours is there, `card-invalid`
 * for a file that is missing or cannot be what it should be, `operator-mismatch`, `signature-invalid` and `roster-older`.
 */
export function readCard(engine: Engine, folder: string): Card {
  const files = new Map((Object.keys(CARD_FILES) as CardFile[]).map((file) => [file, bytesOf(folder, file)]));
  if ([...files.values()].every((bytes) => bytes === null)) {
    throw new Problem('card-missing', 'the partition GHOSTPIPE is missing or empty');
  }
  const read = <T>(file: CardFile, parse: (bytes: Uint8Array) => T): T => {
    const bytes = files.get(file);
    if (!bytes) throw new Problem('card-invalid', `${CARD_FILES[file].name} is missing`);
    return named(file, () => parse(bytes));
  };
  const operatorPin = read('operatorPin', (bytes) => parsePin(latin1(bytes)));
  const config = read('config', (bytes) => openSiteConfig(engine, bytes, operatorPin));
  const { siteId, minRosterVersion: minVersion } = config;
  const trust = { siteId, operatorKeyHash: operatorPin, minVersion };
  const roster = read('roster', (bytes) => openRoster(engine, bytes, trust));
  const seed = read('seed', (bytes) => seedOf(latin1(bytes).trim()));
  return {
    config,
    configBytes: files.get('config')!,
    operatorPin,
    roster,
    rosterBytes: files.get('roster')!,
    seed,
  };
}

function bytesOf(folder: string, file: CardFile): Uint8Array | null {
  const { name, limit } = CARD_FILES[file];
  return named(file, () => readPlainFile(join(folder, name), limit));
}

/** Says which file it was. What only says that a file is not what it should be becomes `card-invalid`. */
function named<T>(file: CardFile, act: () => T): T {
  try {
    return act();
  } catch (thrown) {
    const { code, detail } = asProblem(thrown);
    const isOwn = code === 'operator-mismatch' || code === 'signature-invalid' || code === 'roster-older';
    throw new Problem(isOwn ? code : 'card-invalid', `${CARD_FILES[file].name}: ${detail}`);
  }
}

function seedOf(text: string): Uint8Array {
  const seed = fromBase64Url(text);
  if (seed.length !== 32) throw new Problem('card-invalid', `it holds ${seed.length} bytes, a seed has 32`);
  return seed;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
