/**
 * The tmpfs store: slots in files of a folder in memory, so that blocks outlive the process but not the machine's
 * power, and a file of what ended. It mirrors what the delivery states decide; a new process adopts what the last one
 * left.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../protocol/problem.ts';
import { BlockStore, type Slot } from './block-store.ts';
import { EndedFile, type EndedTransfer } from './ended-file.ts';
import { BLOCK_OFFSET, SlotFile, type WriteAt, writeAt } from './slot-file.ts';
import type { SlotRecord } from './slot-record.ts';
import type { Transfer } from './transfer.ts';

const SLOT_NAME = /^slot-(\d{4})$/;

export interface TmpfsOptions {
  /** An existing folder that nobody else uses; what kind of one is the caller's business. */
  readonly folder: string;
  /** Fewest slots; files that an earlier process left beyond them stay in use. */
  readonly slots: number;
  readonly blockBytes: number;
  /** 16 bytes of this boot. */
  readonly bootId: Uint8Array;
  /** 16 random bytes, used when no epoch can go on. */
  readonly newEpoch: Uint8Array;
  /** Told of each slot whose content was not simply kept, and why. */
  readonly onFinding: (finding: { readonly slot: number; readonly fact: string }) => void;
  readonly write?: WriteAt;
}

interface FileSlot extends Slot {
  readonly bytes: SlotFile;
  /** Place of its transfer in the order of acceptance; 0 while there is none. */
  order: number;
}

export class TmpfsStore extends BlockStore {
  readonly blockBytes: number;
  protected readonly slots: readonly FileSlot[];
  /** What an earlier process held, oldest first; every block of it was checked against its hash. */
  readonly adopted: readonly Transfer[];
  readonly #ended: EndedFile;
  #lastOrder: number;

  /** Opens or makes every slot file, and finishes what was under way. Refuses `store-failed`. */
  constructor(options: TmpfsOptions) {
    super();
    this.blockBytes = options.blockBytes;
    const opened = openSlots(options);
    this.slots = opened.map(({ slot }) => slot);
    this.adopted = opened
      .toSorted((a, b) => a.slot.order - b.slot.order)
      .flatMap(({ slot, held }) => (held ? [{ ...held.transfer, slot, end: null }] : []));
    this.#lastOrder = Math.max(...this.slots.map(({ order }) => order));
    this.#ended = openEnded(options);
    if (opened.some(({ lost }) => lost)) this.#ended.beginEpoch();
  }

  /** What earlier processes ended, the earliest first. */
  get ended(): readonly EndedTransfer[] {
    return this.#ended.found;
  }

  /** Goes on from process to process until something that was held is lost. */
  get epoch(): Uint8Array {
    return this.#ended.epoch;
  }

  override get outlivesProcess(): boolean {
    return true;
  }

  override persist(transfer: Transfer): void {
    const slot = transfer.slot as FileSlot;
    if (slot.order === 0) {
      this.#lastOrder += 1;
      slot.order = this.#lastOrder;
    }
    slot.bytes.put('stored', { order: slot.order, transfer });
  }

  override remember(transfer: EndedTransfer): void {
    this.#ended.add(transfer);
  }

  /** Closes every file; from then on nothing changes. */
  close(): void {
    for (const { bytes } of this.slots) bytes.close();
    this.#ended.close();
  }

  protected override entered(slot: FileSlot): void {
    slot.order = 0;
    slot.bytes.put(slot.state === 'used' ? 'receiving' : slot.state);
  }
}

interface Opened {
  readonly slot: FileSlot;
  readonly held: SlotRecord['held'];
  /** It held, or may have held, a block that cannot be kept. */
  readonly lost: boolean;
}

function openSlots(options: TmpfsOptions): Opened[] {
  const { folder, slots } = options;
  return orStoreFailed(options, () => {
    const count = Math.max(slots, ...slotNumbers(folder).map((number) => number + 1));
    return Array.from({ length: count }, (_, number) => openSlot(options, number));
  });
}

function openEnded(options: TmpfsOptions): EndedFile {
  const { folder, bootId, newEpoch, write = writeAt } = options;
  return orStoreFailed(options, () => new EndedFile({ path: join(folder, 'ended'), bootId, newEpoch, write }));
}

function orStoreFailed<T>({ folder, slots }: TmpfsOptions, open: () => T): T {
  try {
    return open();
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (thrown instanceof Problem || code === undefined) throw thrown;
    throw new Problem('store-failed', `${folder} cannot hold ${slots} slots (${code})`);
  }
}

function openSlot({ folder, blockBytes, bootId, onFinding, write = writeAt }: TmpfsOptions, number: number): Opened {
  const path = join(folder, `slot-${String(number).padStart(4, '0')}`);
  const file = new SlotFile({ path, blockBytes, bootId, write });
  const { held, lost } = adopt(file, (fact) => onFinding({ slot: number, fact }));
  return { slot: { bytes: file, state: held ? 'used' : 'free', pins: 0, order: held?.order ?? 0 }, held, lost };
}

/** What the file holds and may be kept; anything else is destroyed, and `tell` says why. */
function adopt(file: SlotFile, tell: (fact: string) => void): Pick<Opened, 'held' | 'lost'> {
  // 1. A file of another size is made anew.
  const whole = BLOCK_OFFSET + file.length;
  if (file.size !== whole) {
    const lost = file.size > 0;
    if (lost) tell(`discarded: the file has ${file.size} bytes, expected ${whole}`);
    file.make();
    return { held: null, lost };
  }
  // 2. The newest whole copy counts.
  const { record, faults } = file.read();
  for (const fault of faults) tell(`not used: ${fault}`);
  // 3. A block that was told of is kept, if it is the one.
  if (record?.held) {
    if (file.blockHash() === record.held.transfer.hash) return { held: record.held, lost: false };
    tell('discarded: the block does not have its hash');
  } else if (record?.state === 'free') {
    if (faults.length === 0) return { held: null, lost: false };
  } else {
    tell(record?.state === 'burning' ? 'burned: it was being burned' : 'discarded: nothing was accepted here');
  }
  // 4. Everything else goes.
  file.wipe();
  return { held: null, lost: !record || record.held !== null };
}

function slotNumbers(folder: string): number[] {
  return readdirSync(folder).flatMap((name) => {
    const number = SLOT_NAME.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}
