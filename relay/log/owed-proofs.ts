/**
 * Proofs that devices are owed for the log receipts they were given, the oldest first, and the statements of the epochs
 * that these are of. A proof is ready once a head covers its leaf, or the next epoch says how the leaf's own one ended.
 */
import { utf8 } from '../../protocol/bytes.ts';
import { type ControlItem, itemBytes } from '../../protocol/control.ts';
import type { Hasher } from '../../protocol/merkle.ts';
import { formatTailProof } from '../../protocol/tail-proof.ts';
import { fromHex } from '../../protocol/text.ts';
import { formatTlogProof } from '../../protocol/tlog-proof.ts';
import type { Recorded } from './draft.ts';
import type { EpochView, LogView } from './log-view.ts';
import { proofOfLeaf, proofOfTail } from './proofs.ts';

/** Most that wait for one device: those of a minute at ten blocks a second, and more. The oldest goes first. */
export const MAX_OWED_PROOFS = 1024;
/** Most in one answer: one keeps up with a receipt in each, the other makes up for what came late. */
const PER_ANSWER = 2;
/** Those of the newest answers, some of which may have been lost. */
const MAX_GIVEN = 16;

/** Where the record of a receipt stands. */
interface Leaf extends Pick<Recorded, 'origin' | 'index'> {
  readonly transferId: string;
}

/** A leaf, or (without a transfer) the statement of an epoch, which is its leaf 0. */
interface Owed extends Omit<Leaf, 'transferId'> {
  readonly transferId: string | null;
}

interface Account {
  /** Origins whose statement the device was told, or waits for. */
  readonly told: Set<string>;
  /** By origin. */
  readonly statements: Map<string, Owed>;
  /** By transfer, oldest first. */
  leaves: Map<string, Owed>;
  /** Oldest first. */
  given: Owed[];
  session: string | null;
}

export class OwedProofs {
  readonly #hasher: Hasher;
  readonly #log: LogView;
  /** By DID. */
  readonly #accounts = new Map<string, Account>();

  constructor(hasher: Hasher, log: LogView) {
    this.#hasher = hasher;
    this.#log = log;
  }

  /** A device is given the log receipt of this leaf; its proof is owed once, however often the receipt is given. */
  owe(did: string, leaf: Leaf): void {
    const { told, statements, leaves } = this.#account(did);
    const { origin, index, transferId } = leaf;
    if (!told.has(origin)) statements.set(origin, { origin, index: 0, transferId: null });
    told.add(origin);
    leaves.set(transferId, { origin, index, transferId });
    if (leaves.size > MAX_OWED_PROOFS) leaves.delete(leaves.keys().next().value!);
  }

  /** What is ready for a device and fits `room` bytes of a frame, at most two items: statements, then the oldest proofs. */
  next(did: string, room: number): ControlItem[] {
    const account = this.#accounts.get(did);
    if (!account) return [];
    const items: ControlItem[] = [];
    let left = room;
    for (const owed of [...account.statements.values(), ...account.leaves.values()]) {
      if (items.length === PER_ANSWER) break;
      const item = this.#itemOf(owed);
      if (item === 'later') continue;
      if (item !== 'never' && itemBytes(item) > left) break;
      if (owed.transferId === null) account.statements.delete(owed.origin);
      else account.leaves.delete(owed.transferId);
      if (item === 'never') continue;
      account.given = [...account.given, owed].slice(-MAX_GIVEN);
      items.push(item);
      left -= itemBytes(item);
    }
    return items;
  }

  /** A device says that an answer was lost: what the newest ones brought comes again, before what waits. */
  again(did: string): void {
    const account = this.#accounts.get(did);
    if (!account) return;
    const lost = account.given;
    account.given = [];
    for (const owed of lost) if (owed.transferId === null) account.statements.set(owed.origin, owed);
    const leaves = lost.flatMap((owed) => (owed.transferId === null ? [] : [[owed.transferId, owed] as const]));
    account.leaves = new Map([...leaves, ...account.leaves]);
  }

  /** A reader names its session: another than before says that an answer of that one was lost. */
  claimed(did: string, session: string): void {
    const account = this.#account(did);
    if (account.session !== session) this.again(did);
    account.session = session;
  }

  /** A device registers: it may be another process by now, which knows of no epoch. */
  introduced(did: string): void {
    this.#accounts.get(did)?.told.clear();
  }

  /** Forgets devices that no longer belong to the site. */
  enforce(belongs: (did: string) => boolean): void {
    for (const did of [...this.#accounts.keys()]) if (!belongs(did)) this.#accounts.delete(did);
  }

  #account(did: string): Account {
    const account = this.#accounts.get(did) ?? newAccount();
    this.#accounts.set(did, account);
    return account;
  }

  /** `later` while nothing signed shows the leaf; `never` for one that this relay keeps no more. */
  #itemOf(owed: Owed): ControlItem | 'later' | 'never' {
    const { epochs } = this.#log;
    const at = epochs.findLastIndex(({ origin }) => origin === owed.origin);
    const epoch = epochs[at];
    if (!epoch) return 'never';
    const isCovered = owed.index < (epoch.heads.at(-1)?.size ?? 0);
    if (!isCovered && (epoch.isOpen || !epochs[at + 1]?.heads.length)) return 'later';
    try {
      return this.#write(owed, epoch, isCovered);
    } catch {
      return 'never'; // pruned meanwhile
    }
  }

  #write({ transferId, index }: Owed, epoch: EpochView, isCovered: boolean): ControlItem {
    const proof = () => formatTlogProof(proofOfLeaf(this.#hasher, epoch, index));
    if (transferId === null) {
      return { type: 'logEpoch', originHash: this.#hasher.sha256(utf8(epoch.origin)), bytes: proof() };
    }
    const id = fromHex(transferId, 16);
    if (isCovered) return { type: 'logProof', transferId: id, bytes: proof() };
    const tail = formatTailProof(proofOfTail(this.#hasher, this.#log, epoch, index));
    return { type: 'logTail', transferId: id, bytes: tail };
  }
}

function newAccount(): Account {
  return { told: new Set(), statements: new Map(), leaves: new Map(), given: [], session: null };
}
