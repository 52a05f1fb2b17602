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
  /** Once it was asked for. */
  receipt?: Promise<readonly ControlItem[]>;
}

export class LogReceipts {
  readonly #options: LogReceiptsOptions;
  /** By transfer, of blocks that are held. */
  readonly #committed = new Map<string, Committed>();
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
    this.#committed.set(transferId, committed);
  }

  /** The block is gone. */
  forget(transferId: string): void {
    this.#committed.delete(transferId);
  }

  /**
   * For the answer to a submit: the salt, the log receipt with its record, and one receipt that the sender is owed.
   * Without a receipt of the transfer itself it could not be signed now.
   */
  async forSender(transferId: string): Promise<ControlItem[]> {
    const committed = this.#committed.get(transferId);
    if (!committed) return [];
    const own = await this.#own(transferId, committed);
    if (own.length === 0) this.#owe(committed.sender, transferId, committed.recorded);
    const owed = own.length > 0 ? await this.#nextOwed(committed.sender) : [];
    return [saltItem(transferId, committed), ...own, ...owed];
  }

  /** For the answer to a claim: salt, log receipt and record. An earlier process took its salts with it. */
  async forReader(transferId: string): Promise<ControlItem[]> {
    const committed = this.#committed.get(transferId);
    return committed ? [saltItem(transferId, committed), ...(await this.#own(transferId, committed))] : [];
  }

  /** The receipt of a held block and its record, signed once. */
  async #own(transferId: string, committed: Committed): Promise<readonly ControlItem[]> {
    committed.receipt ??= this.#sign(transferId, committed.recorded);
    const items = await committed.receipt;
    if (items.length === 0) delete committed.receipt; // it may be signed later
    return items;
  }

  #owe(sender: string, transferId: string, recorded: Recorded): void {
    const owed = this.#owed.get(sender) ?? new Map<string, Recorded>();
    this.#failed += 1;
    this.#owed.set(sender, owed.set(transferId, recorded));
    if (owed.size <= MAX_OWED) return;
    owed.delete(owed.keys().next().value!);
    this.#lost += 1;
  }

  async #nextOwed(sender: string): Promise<readonly ControlItem[]> {
    const owed = this.#owed.get(sender);
    const next = owed?.entries().next().value;
    if (!owed || !next) return [];
    const [transferId, recorded] = next;
    owed.delete(transferId); // now: two answers at a time do not bring the same
    const items = await this.#sign(transferId, recorded);
    if (items.length === 0) this.#lost += 1; // the signer that works now has no key of that epoch
    return items;
  }

  async #sign(transferId: string, { origin, index, leaf, entry, timeMs }: Recorded): Promise<ControlItem[]> {
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
      const bytes = await signer.receipt(origin, about);
      return [
        { type: 'logReceipt', bytes },
        { type: 'logRecord', bytes: entry },
      ];
    } catch (thrown) {
      onFault(`no log receipt was signed: ${asProblem(thrown).detail}`);
      return [];
    }
  }
}

function saltItem(transferId: string, { salt }: Committed): ControlItem {
  return { type: 'commitSalt', transferId: fromHex(transferId, 16), salt };
}
