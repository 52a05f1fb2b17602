/** The delivery engine against a naive model of its rules, under random operations and a counted clock. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Deliveries } from '../../relay/store/deliveries.ts';
import type { Lease } from '../../relay/store/handover.ts';
import { Slab } from '../../relay/store/slab.ts';
import { NaiveStore } from '../fixtures/naive-store.ts';

const LIMITS = { leaseMs: 50, leasesPerReader: 2, slotsPerSender: 4 };
/** Enough for every block that is held or still streams, so that only quotas refuse. */
const SLOTS = 64;
const NAMES = ['A', 'B', 'C'];

const name = fc.constantFrom(...NAMES);
const session = fc.constantFrom('s1', 's2');
/** Transfer ids are 1, 2, 3...: a small number hits one that exists. */
const id = fc.integer({ min: 1, max: 8 }).map(String);

const operation = fc.oneof(
  fc.record({
    op: fc.constant('submit' as const),
    sender: fc.constantFrom('S', 'T'),
    hash: fc.integer({ min: 1, max: 12 }).map(String),
    recipients: fc.subarray(NAMES, { minLength: 1 }),
    views: fc.integer({ min: 1, max: 3 }),
    ttlMs: fc.constantFrom(40, 200, 5000),
    burnAtClaim: fc.boolean(),
  }),
  fc.record({ op: fc.constant('claim' as const), reader: name, session, max: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ op: fc.constant('ack' as const), reader: name, id, secretOf: name }),
  fc.record({ op: fc.constant('reject' as const), reader: name, id }),
  fc.record({ op: fc.constant('remove' as const), sender: fc.constantFrom('S', 'T'), id }),
  fc.record({ op: fc.constant('drop' as const), reader: name }),
  fc.record({ op: fc.constant('release' as const), index: fc.nat({ max: 3 }) }),
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

function commitOf(reader: string): Uint8Array {
  return Buffer.from(reader.repeat(32));
}

interface World {
  readonly slab: Slab;
  readonly store: Deliveries;
  readonly model: NaiveStore;
  readonly leases: Lease[];
  now: number;
}

/** Does one operation on both and gives both answers. */
function step(world: World, operation: Operation): { actual: unknown; expected: unknown } {
  const { store, model, leases, now } = world;
  switch (operation.op) {
    case 'submit': {
      const { sender, hash, recipients, ttlMs, burnAtClaim } = operation;
      const views = Math.min(operation.views, recipients.length);
      const actual = outcome(() => {
        const slot = store.admit(sender);
        slot.bytes.fill(1);
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
    case 'wait':
      world.now += operation.ms;
  }
  return { actual: null, expected: null };
}

function makeWorld(): World {
  const slab = new Slab(SLOTS, 64);
  let ids = 0;
  const store = new Deliveries(
    slab,
    LIMITS,
    () => String(++ids),
    () => {},
  );
  return { slab, store, model: new NaiveStore(LIMITS), leases: [], now: 0 };
}

t.test('the store answers as the model does, whatever is done in whatever order', async (t) => {
  const property = fc.property(fc.array(operation, { minLength: 20, maxLength: 80 }), (operations) => {
    const world = makeWorld();
    for (const [index, each] of operations.entries()) {
      const { actual, expected } = step(world, each);
      assert.deepEqual(actual, expected, `operation ${index} (${each.op})`);
      world.store.settle(world.now);
      const { held, readers } = world.model.facts(world.now);
      assert.equal(world.slab.count().used, held, `held after operation ${index}`);
      assert.ok(readers.every(({ count, views }) => count <= views));
    }
    for (const lease of world.leases) lease.release();
    world.store.burnAll(world.now);
    assert.ok(world.slab.memory().every((slot) => slot.every((byte) => byte === 0)));
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500, seed: 2026 }));
});
