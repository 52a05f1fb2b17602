/** A stick that is looked at: whether it is there, whose it is, which one it is; and what a failure of it is called. */
import type { Engine } from '../../protocol/engine/engine.ts';
import { asProblem } from '../../protocol/problem.ts';
import { fromHex, toHex } from '../../protocol/text.ts';
import type { Draft } from './draft.ts';
import { isMissing, type StickDisk } from './stick-disk.ts';
import { StickFiles } from './stick-files.ts';
import { readStick, type StickContent } from './stick-reader.ts';

export type StickState = Extract<Draft, { act: 'log.storage' }>['obj']['state'];

const ID_BYTES = 16;
/** 32 digits and a newline. */
const ID_FILE_BYTES = 33;
const MIB = 2 ** 20;

export interface Attached extends StickContent {
  /** 32 hex digits. */
  readonly id: string;
  readonly freeMiB: number;
}

/** The stick has epochs of another relay. */
class Foreign extends Error {}

/** The stick is not the one that was attached. */
class Another extends Error {}

/** Looks at a stick, and gives a new one its id. Rejects with what the disk says, and when it is another relay's. */
export async function attach(engine: Engine, disk: StickDisk, logPin: string): Promise<Attached> {
  await disk.list('');
  const content = await readStick(engine, disk, logPin);
  if (content.foreign) throw new Foreign(content.foreign);
  const id = await readId(engine, disk);
  return { ...content, id, freeMiB: Math.floor((await disk.freeBytes()) / MIB) };
}

/** Refuses a stick that is not the one that was attached, although files that are open may still be written. */
export async function requireSame(disk: StickDisk, { id }: Pick<Attached, 'id'>): Promise<void> {
  const found = textOf(await disk.read('id', ID_FILE_BYTES));
  if (found !== id) throw new Another(`its id is ${JSON.stringify(found)}, and was ${id}`);
}

/** What the stick is after a failure. */
export function stateOf(thrown: unknown): StickState {
  if (thrown instanceof Foreign) return 'foreign';
  if (thrown instanceof Another) return 'missing';
  switch ((thrown as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENODEV':
    case 'ENXIO':
      return 'missing';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'full';
    case 'EROFS':
      return 'read-only';
    default:
      return 'failing';
  }
}

async function readId(engine: Engine, disk: StickDisk): Promise<string> {
  try {
    const text = textOf(await disk.read('id', ID_FILE_BYTES));
    fromHex(text, ID_BYTES);
    return text;
  } catch (thrown) {
    if (!isMissing(thrown) && asProblem(thrown).code === 'internal') throw thrown;
    const id = toHex(engine.random(ID_BYTES));
    await new StickFiles(disk, 'unfinished', () => {}).replace('id', Buffer.from(`${id}\n`));
    return id;
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1').trimEnd();
}
