/** The delivery engine against a naive model of its rules, under random operations and a counted clock. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { didOf } from '../../protocol/identity.ts';
import type { BlockStore } from '../../relay/store/block-store.ts';
import { Deliveries } from '../../relay/store/deliveries.ts';
import type { EndedTransfer } from '../../relay/store/ended-file.ts';
import type { Lease } from '../../relay/store/handover.ts';
import { Slab } from '../../relay/store/slab.ts';
import { TmpfsStore } from '../../relay/store/tmpfs.ts';
import type { Transfer } from '../../relay/store/transfer.ts';
import { NaiveStore } from '../fixtures/naive-store.ts';

const LIMITS = { leaseMs: 50, leasesPerReader: 2, slotsPerSender: 4, slotsPerZone: { ot: 5, it: 5, management: 5 } };
/** Enough for every block that is held or still streams, so that only quotas refuse. */
const SLOTS = 64;
const BLOCK_BYTES = 64;
const NAMES = ['A', 'B', 'C'].map(didNamed);
const SENDERS = ['S', 'T'].map(didNamed);

const name = fc.constantFrom(...NAMES);
const session = fc.constantFrom('1a'.repeat(16), '2b'.repeat(16));
/** Transfer ids are numbered from 1: a small number hits one that exists. */
const id = fc.integer({ min: 1, max: 8 }).map(idNumbered);

const operation = fc.oneof(
  fc.record({
    op: fc.constant('submit' as const),
    sender: fc.constantFrom(...SENDERS),
    content: fc.integer({ min: 1, max: 12 }),
    recipients: fc.subarray(NAMES, { minLength: 1 }),
    views: fc.integer({ min: 1, max: 3 }),
    ttlMs: fc.constantFrom(40, 200, 5000),
    burnAtClaim: fc.boolean(),
  }),
  fc.record({ op: fc.constant('claim' as const), reader: name, session, max: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ op: fc.constant('ack' as const), reader: name, id, secretOf: name }),
  fc.record({ op: fc.constant('reject' as const), reader: name, id }),
  fc.record({ op: fc.constant('remove' as const), sender: fc.constantFrom(...SENDERS), id }),
  fc.record({ op: fc.constant('drop' as const), reader: name }),
  fc.record({ op: fc.constant('release' as const), index: fc.nat({ max: 3 }) }),
  fc.record({ op: fc.constant('crash' as const) }),
  fc.record({ op: fc.constant('wait' as const), ms: fc.constantFrom(1, 30, 60, 700_000) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** What a call gave: its value, or the code that it was refused with. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (problem) {
    return (problem as { code: string }).code;
  }
}

function sha256(bytes: string | Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function didNamed(text: string): string {
  return didOf(sha256(text));
}

function idNumbered(number: number): string {
  return String(number).padStart(32, '0');
}

function commitOf(reader: string): Uint8Array {
  return sha256(reader);
}

/** Opens the store anew; a second time as the next process would. */
type OpenStore = () => {
  readonly store: BlockStore;
  readonly adopted: readonly Transfer[];
  readonly ended: readonly EndedTransfer[];
};

class World {
  readonly model = new NaiveStore(LIMITS);
  readonly leases: Lease[] = [];
  now = 0;
  readonly #open: OpenStore;
  #ids = 0;
  blocks!: BlockStore;
  store!: Deliveries;

  constructor(open: OpenStore) {
    this.#open = open;
    this.#start();
  }

  /** Kills the process, if the store outlives it, and begins another one. */
  crash(): void {
    if (!this.blocks.outlivesProcess) return;
    this.leases.length = 0;
    this.model.crash(this.now);
    this.#start();
  }

  #start(): void {
    const { store, adopted, ended } = this.#open();
    const makeId = () => idNumbered(++this.#ids);
    this.blocks = store;
    this.store = new Deliveries(store, LIMITS, makeId, () => {});
    this.store.adopt(this.now, adopted, ended, () => 'ot');
  }
}

/** Does one operation on both and gives both answers. */
function step(world: World, operation: Operation): { actual: unknown; expected: unknown } {
  const { store, model, leases, now } = world;
  switch (operation.op) {
    case 'submit': {
      const { sender, content, recipients, ttlMs, burnAtClaim } = operation;
      const block = new Uint8Array(BLOCK_BYTES).fill(content);
      const hash = sha256(block).toString('hex');
      const views = Math.min(operation.views, recipients.length);
      const actual = outcome(() => {
        const slot = store.admit(now, sender, 'ot');
        slot.bytes.set(block, 0);
        const to = recipients.map((did) => ({ did, ackCommit: commitOf(did) }));
        return store.submit(now, { sender, slot, hash, views, burnAtClaim, ttlMs, recipients: to });
      });
      return { actual, expected: model.submit(now, { sender, hash, recipients, views, ttlMs, burnAtClaim }) };
    }
    case 'claim': {
      const lease = store.claim(now, operation.reader, operation.session, operation.max);
      if (lease) leases.push(lease);
      const got = lease && { id: lease.transferId, attempt: lease.attempt, leaseMs: lease.leaseMs };
      return { actual: got, expected: model.claim(now, operation.reader, operation.session, operation.max) };
    }
    case 'ack': {
      const { reader, id, secretOf } = operation;
      const actual = outcome(() => store.ack(now, reader, id, commitOf(secretOf)));
      return { actual, expected: model.ack(now, reader, id, secretOf === reader) };
    }
    case 'reject': {
      const actual = outcome(() => store.reject(now, operation.reader, operation.id, 'replay'));
      return { actual, expected: model.reject(now, operation.reader, operation.id) };
    }
    case 'remove': {
      const actual = store.remove(now, operation.sender, operation.id);
      return { actual, expected: model.remove(now, operation.sender, operation.id) };
    }
    case 'drop': {
      const actual = store.dropReaders(now, (did) => did !== operation.reader);
      return { actual, expected: model.drop(now, operation.reader) };
    }
    case 'release':
      leases.splice(operation.index, 1)[0]?.release();
      break;
    case 'crash':
      world.crash();
      break;
    case 'wait':
      world.now += operation.ms;
  }
  return { actual: null, expected: null };
}

/** Holds the store against the model; `prepare` gives what opens the store of one run. */
function followsTheModel(t: Test, numRuns: number, prepare: () => OpenStore): void {
  const property = fc.property(fc.array(operation, { minLength: 20, maxLength: 80 }), (operations) => {
    const world = new World(prepare());
    for (const [index, each] of operations.entries()) {
      const { actual, expected } = step(world, each);
      assert.deepEqual(actual, expected, `operation ${index} (${each.op})`);
      world.store.settle(world.now);
      const { held, readers } = world.model.facts(world.now);
      assert.equal(world.blocks.count().used, held, `held after operation ${index}`);
      assert.ok(readers.every(({ count, views }) => count <= views));
    }
    for (const lease of world.leases) lease.release();
    world.store.burnAll(world.now);
    assert.ok(world.blocks.memory().every((slot) => slot.every((byte) => byte === 0)));
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns, seed: 2026 }));
}

t.test('the slab answers as the model does, whatever is done in whatever order', async (t) => {
  followsTheModel(t, 500, () => () => ({ store: new Slab(SLOTS, BLOCK_BYTES), adopted: [], ended: [] }));
});

t.test('so does the tmpfs store, and processes come and go meanwhile', async (t) => {
  const folder = join(t.testdir(), 'store');
  const bootId = new Uint8Array(16).fill(7);
  const newEpoch = bootId;
  const onFinding = () => {};
  followsTheModel(t, 60, () => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    let last: TmpfsStore | undefined;
    return () => {
      last?.close();
      last = new TmpfsStore({ folder, slots: SLOTS, blockBytes: BLOCK_BYTES, bootId, newEpoch, onFinding });
      return { store: last, adopted: last.adopted, ended: last.ended };
    };
  });
});
