/**
 * Log receipts and salts of the blocks that this process accepted. A receipt that cannot be signed now is owed: it goes
 * with a later answer to the same sender, as long as the epoch of its record can sign. One that never can is counted.
 * Whoever is given a receipt is owed its proof.
 */
import { utf8 } from '../../protocol/bytes.ts';
import type { ControlItem } from '../../protocol/control.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { asProblem } from '../../protocol/problem.ts';
import { fromHex } from '../../protocol/text.ts';
import type { Recorded } from './draft.ts';
import type { EpochView, LogView } from './log-view.ts';
import { owedBefore } from './owed-before.ts';
import { OwedProofs } from './owed-proofs.ts';
import type { Signer } from './signer.ts';

/** A head covers a record within this. */
const WITHIN_SECONDS = 60;
/** Most receipts that one sender is owed; one that asks for more gets the newest. */
const MAX_OWED = 64;

export interface LogReceiptsOptions {
  readonly engine: Engine;
  readonly signer: Pick<Signer, 'receipt'>;
  readonly log: LogView;
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
  /** What senders are owed, and readers. */
  readonly proofs: { readonly sender: OwedProofs; readonly reader: OwedProofs };
  readonly #options: LogReceiptsOptions;
  /** By transfer, of blocks that are held. */
  readonly #committed = new Map<string, Held>();
  /** By sender, then by transfer. */
  readonly #owed = new Map<string, Map<string, Recorded>>();
  #failed = 0;
  #lost = 0;

  constructor(options: LogReceiptsOptions) {
    this.#options = options;
    const { engine, log } = options;
    this.proofs = { sender: new OwedProofs(engine, log), reader: new OwedProofs(engine, log) };
    const before = log.epochs.findLast(({ isOpen }) => !isOpen);
    if (before) this.#remember(before);
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
   * receipt that the sender is owed. Without a receipt of the transfer itself it could not be signed now. What is given
   * makes the items, also when the block is read and gone before the answer may leave.
   */
  forSender(transferId: string): () => Promise<ControlItem[]> {
    const held = this.#committed.get(transferId);
    return async () => (held ? this.#forSender(transferId, held) : []);
  }

  async #forSender(transferId: string, held: Held): Promise<ControlItem[]> {
    const { sender, recorded } = held;
    held.receipt ??= await this.#sign(transferId, recorded);
    if (!held.receipt) this.#owe(sender, transferId, recorded);
    else this.proofs.sender.owe(sender, { ...recorded, transferId });
    return [...evidence(transferId, held), ...(held.receipt ? await this.#nextOwed(sender) : [])];
  }

  /**
   * For the answer to a claim: the same but what is owed; nothing is signed for it, since an answer with a block may take
   * no longer than one with a cover. An earlier process took its salts with it.
   */
  forReader(transferId: string, reader: string): ControlItem[] {
    const held = this.#committed.get(transferId);
    if (held?.receipt) this.proofs.reader.owe(reader, { ...held.recorded, transferId });
    return held ? evidence(transferId, held) : [];
  }

  /** A device registers: what it knew of epochs may be gone. */
  introduced(did: string): void {
    this.proofs.sender.introduced(did);
    this.proofs.reader.introduced(did);
  }

  /** Forgets what is owed to devices that no longer belong to the site. */
  enforce(belongs: (did: string) => boolean): void {
    this.proofs.sender.enforce(belongs);
    this.proofs.reader.enforce(belongs);
    for (const did of [...this.#owed.keys()]) if (!belongs(did)) this.#owed.delete(did);
  }

  /** Owes what the process of this epoch owed at its end. */
  #remember(epoch: EpochView): void {
    for (const { to, did, ...leaf } of owedBefore(epoch)) this.proofs[to].owe(did, { ...leaf, origin: epoch.origin });
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
    if (item) this.proofs.sender.owe(sender, { ...recorded, transferId });
    else this.#lost += 1; // the signer that works now has no key of that epoch
    return item ? [item] : [];
  }

  async #sign(transferId: string, { origin, index, leaf, timeMs }: Recorded): Promise<ControlItem | null> {
    const { engine, signer, log, onFault } = this.#options;
    const originHash = engine.sha256(utf8(origin));
    const id = fromHex(transferId, 16);
    const about = {
      originHash,
      transferId: id,
      index,
      leafHash: leaf,
      timeMs,
      mode: log.mode,
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
