/**
 * Log receipts and salts of the blocks that this process accepted. A receipt that cannot be signed now is owed: it goes
 * with a later answer to the same sender, as long as the epoch of its record can sign. One that never can is counted.
 */
import { utf8 } from '../../protocol/bytes.ts';
import type { ControlItem } from '../../protocol/control.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import type { AuditMode } from '../../protocol/log-action.ts';
import { asProblem } from '../../protocol/problem.ts';
import { fromHex } from '../../protocol/text.ts';
import type { Recorded } from './draft.ts';
import type { Signer } from './signer.ts';

/** A head covers a record within this. */
const WITHIN_SECONDS = 60;
/** Most receipts that one sender is owed; one that asks for more gets the newest. */
const MAX_OWED = 64;

export interface LogReceiptsOptions {
  readonly engine: Engine;
  readonly signer: Pick<Signer, 'receipt'>;
  /** Of the log at the moment. */
  readonly mode: () => AuditMode;
  readonly onFault: (fact: string) => void;
}

/** What a sender and the readers of a held block are given beside it. */
interface Committed {
  readonly sender: string;
  readonly recorded: Recorded;
  readonly salt: Uint8Array;
}

interface Held extends Committed {
  /** Null until it was signed. */
  receipt: ControlItem | null;
}

export class LogReceipts {
  readonly #options: LogReceiptsOptions;
  /** By transfer, of blocks that are held. */
  readonly #committed = new Map<string, Held>();
  /** By sender, then by transfer. */
  readonly #owed = new Map<string, Map<string, Recorded>>();
  #failed = 0;
  #lost = 0;

  constructor(options: LogReceiptsOptions) {
    this.#options = options;
  }

  /** Receipts that were not signed when they were asked for. */
  get failed(): number {
    return this.#failed;
  }

  /** Receipts of these that no later answer can bring. */
  get lost(): number {
    return this.#lost;
  }

  /** Keeps where the record of an accepted block stands, and the salt of its commitment. */
  keep(transferId: string, committed: Committed): void {
    this.#committed.set(transferId, { ...committed, receipt: null });
  }

  /** The block is gone. */
  forget(transferId: string): void {
    this.#committed.delete(transferId);
  }

  /**
   * For the answer to a submit: the log receipt, the record that it is about and the salt of the commitment in it, and one
   * receipt that the sender is owed. Without a receipt of the transfer itself it could not be signed now.
   */
  async forSender(transferId: string): Promise<ControlItem[]> {
    const held = this.#committed.get(transferId);
    if (!held) return [];
    const { sender, recorded } = held;
    held.receipt ??= await this.#sign(transferId, recorded);
    if (!held.receipt) this.#owe(sender, transferId, recorded);
    return [...evidence(transferId, held), ...(held.receipt ? await this.#nextOwed(sender) : [])];
  }

  /**
   * For the answer to a claim: the same but what is owed; nothing is signed for it, since an answer with a block may take
   * no longer than one with a cover. An earlier process took its salts with it.
   */
  forReader(transferId: string): ControlItem[] {
    const held = this.#committed.get(transferId);
    return held ? evidence(transferId, held) : [];
  }

  #owe(sender: string, transferId: string, recorded: Recorded): void {
    const owed = this.#owed.get(sender) ?? new Map<string, Recorded>();
    this.#failed += 1;
    this.#owed.set(sender, owed.set(transferId, recorded));
    if (owed.size <= MAX_OWED) return;
    owed.delete(owed.keys().next().value!);
    this.#lost += 1;
  }

  async #nextOwed(sender: string): Promise<ControlItem[]> {
    const owed = this.#owed.get(sender);
    const next = owed?.entries().next().value;
    if (!owed || !next) return [];
    const [transferId, recorded] = next;
    owed.delete(transferId); // now: two answers at a time do not bring the same
    const item = await this.#sign(transferId, recorded);
    if (!item) this.#lost += 1; // the signer that works now has no key of that epoch
    return item ? [item] : [];
  }

  async #sign(transferId: string, { origin, index, leaf, timeMs }: Recorded): Promise<ControlItem | null> {
    const { engine, signer, mode, onFault } = this.#options;
    const originHash = engine.sha256(utf8(origin));
    const id = fromHex(transferId, 16);
    const about = {
      originHash,
      transferId: id,
      index,
      leafHash: leaf,
      timeMs,
      mode: mode(),
      withinSeconds: WITHIN_SECONDS,
    };
    try {
      return { type: 'logReceipt', bytes: await signer.receipt(origin, about) };
    } catch (thrown) {
      onFault(`no log receipt was signed: ${asProblem(thrown).detail}`);
      return null;
    }
  }
}

function evidence(transferId: string, { receipt, recorded, salt }: Held): ControlItem[] {
  return [
    ...(receipt ? [receipt] : []),
    { type: 'commitSalt', transferId: fromHex(transferId, 16), salt },
    { type: 'logRecord', bytes: recorded.entry },
  ];
}
