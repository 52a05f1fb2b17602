import t from 'tap';
import { Deliveries, type DeliveryLimits } from '../../relay/store/deliveries.ts';
import { ENDED_ENTRIES } from '../../relay/store/ended-file.ts';
import type { DeliveryEvent } from '../../relay/store/event.ts';
import { MAX_TOMBSTONE_VIEWS, TOMBSTONE_MS } from '../../relay/store/ledger.ts';
import { Slab } from '../../relay/store/slab.ts';

const LIMITS: DeliveryLimits = {
  leaseMs: 1000,
  leasesPerReader: 2,
  slotsPerSender: 8,
  slotsPerZone: { ot: 9, it: 9, management: 9 },
};
const TTL = 100_000;

/** The commitment that reader `name` acknowledges with. */
function commitOf(name: string): Uint8Array {
  return Buffer.from(name.padEnd(32, '.'));
}

/** A store of 8 slots with ids 1, 2, 3...; `put` submits a block of one byte value. */
function makeStore(limits: Partial<DeliveryLimits> = {}) {
  const slab = new Slab(8, 64);
  const events: DeliveryEvent[] = [];
  let ids = 0;
  const store = new Deliveries(
    slab,
    { ...LIMITS, ...limits },
    () => String(++ids),
    (event) => events.push(event),
  );
  const put = (
    now: number,
    recipients: readonly string[],
    options: { sender?: string; hash?: string; views?: number; ttlMs?: number; burnAtClaim?: boolean } = {},
  ) => {
    const sender = options.sender ?? 'S';
    const slot = store.admit(now, sender, 'ot');
    slot.bytes.fill(ids + 1);
    return store.submit(now, {
      sender,
      slot,
      hash: options.hash ?? `hash ${ids + 1}`,
      views: options.views ?? recipients.length,
      burnAtClaim: options.burnAtClaim ?? false,
      ttlMs: options.ttlMs ?? TTL,
      recipients: recipients.map((did) => ({ did, ackCommit: commitOf(did) })),
    });
  };
  return { slab, store, events, put };
}

t.test('claim, ack, burn', async (t) => {
  const { slab, store, put, events } = makeStore();
  t.same(put(0, ['A']), { transferId: '1', repeated: false });
  const lease = store.claim(1, 'A', 's1', 9)!;
  t.match(lease, { transferId: '1', hash: 'hash 1', attempt: 1, leaseMs: 1000 });
  t.ok(lease.bytes.subarray(0, 64).every((byte) => byte === 1));
  t.equal(store.ack(2, 'A', '1', commitOf('A')), 'delivered');
  t.same(slab.count(), { free: 7, used: 0, burning: 1 });
  t.ok(
    lease.bytes.subarray(0, 64).every((byte) => byte === 1),
    'an answer that still streams keeps its bytes',
  );
  lease.release();
  t.same(slab.count(), { free: 8, used: 0, burning: 0 });
  t.ok(slab.memory().every((slot) => slot.every((byte) => byte === 0)));
  t.same(
    events.map(({ type }) => type),
    ['accepted', 'leased', 'acked', 'burned'],
  );
  t.equal(store.ack(3, 'A', '1', commitOf('A')), 'delivered', 'a second ack changes nothing');
});

t.test('an ack needs the secret of its own view, and a view that was leased', async (t) => {
  const { store, put } = makeStore();
  put(0, ['A', 'B']);
  t.throws(() => store.ack(1, 'A', '1', commitOf('A')), { code: 'ack-invalid' }, 'not leased yet');
  store.claim(1, 'A', 's', 9);
  t.throws(() => store.ack(1, 'A', '1', commitOf('B')), { code: 'ack-invalid' }, 'of another view');
  t.equal(store.ack(1, 'C', '1', commitOf('A')), 'unknown', 'a reader that is no recipient');
  t.equal(store.ack(1, 'A', '9', commitOf('A')), 'unknown', 'a transfer that is none');
});

t.test('a commitment outlives the bytes that it stood in', async (t) => {
  const { store } = makeStore();
  const slot = store.admit(0, 'S', 'ot');
  slot.bytes.set(commitOf('A'), 0);
  const ackCommit = slot.bytes.subarray(0, 32);
  const to = { sender: 'S', slot, hash: 'h', views: 1, burnAtClaim: false, ttlMs: TTL };
  store.submit(0, { ...to, recipients: [{ did: 'A', ackCommit }] });
  store.claim(0, 'A', 's', 9);
  ackCommit.fill(0);
  t.equal(store.ack(1, 'A', '1', commitOf('A')), 'delivered');
});

t.test('a lease that ends returns the view to the same reader only', async (t) => {
  const { store, put } = makeStore();
  put(0, ['A', 'B'], { views: 1 });
  t.equal(store.claim(0, 'A', 's', 9)?.attempt, 1);
  t.equal(store.claim(5000, 'B', 's', 9), undefined, 'the one view belongs to A');
  t.equal(store.claimByHash(5000, 'B', null, 'hash 1'), undefined, 'by hash neither');
  t.equal(store.claim(5000, 'A', 's', 9)?.attempt, 2);
  t.equal(store.ack(50_000, 'A', '1', commitOf('A')), 'delivered', 'an ack after the lease is as good');
  t.equal(store.status(50_000, 'S', '1')?.state, 'delivered');
});

t.test('a reject needs a live lease', async (t) => {
  const { store, put, events } = makeStore();
  put(0, ['A']);
  t.throws(() => store.reject(0, 'A', '1', 'replay'), { code: 'lease-expired' });
  store.claim(0, 'A', 's', 9);
  t.throws(() => store.reject(1000, 'A', '1', 'replay'), { code: 'lease-expired' });
  store.claim(1000, 'A', 's', 9);
  t.equal(store.reject(1999, 'A', '1', 'replay'), 'rejected');
  t.match(store.status(2000, 'S', '1'), {
    state: 'rejected',
    attempts: 2,
    views: [{ recipient: 'A', state: 'rejected', code: 'replay' }],
  });
  t.match(
    events.find(({ type }) => type === 'rejected'),
    { recipient: 'A', rejectCode: 'replay' },
  );
  t.equal(store.reject(2000, 'A', '1', 'replay'), 'rejected', 'a second reject changes nothing');
  t.equal(store.ack(2000, 'A', '1', commitOf('A')), 'rejected', 'nor does an ack');
});

t.test('a session holds at most W leases, and as few as it asks for', async (t) => {
  const { store, put } = makeStore();
  for (let i = 0; i < 4; i++) put(0, ['A']);
  t.equal(store.claim(0, 'A', 's', 1)?.transferId, '1');
  t.equal(store.claim(0, 'A', 's', 1), undefined);
  t.equal(store.claim(0, 'A', 's', 9)?.transferId, '2');
  t.equal(store.claim(0, 'A', 's', 9), undefined);
  t.throws(() => store.claimByHash(0, 'A', 's', 'hash 3'), { code: 'quota-exceeded' });
  store.ack(0, 'A', '1', commitOf('A'));
  t.equal(store.claim(0, 'A', 's', 9)?.transferId, '3');
});

t.test('a new session first gets what an earlier one left leased', async (t) => {
  const { store, put } = makeStore();
  for (let i = 0; i < 3; i++) put(0, ['A']);
  store.claim(0, 'A', 'old', 9);
  store.claim(0, 'A', 'old', 9);
  t.match(store.claim(1, 'A', 'new', 9), { transferId: '1', attempt: 2 });
  t.match(store.claim(1, 'A', 'new', 9), { transferId: '2', attempt: 2 });
});

t.test('readers are served round-robin over senders, the oldest block of each first', async (t) => {
  const { store, put } = makeStore({ leasesPerReader: 9 });
  for (const sender of ['X', 'X', 'X', 'Y', 'Z', 'Y']) put(0, ['A'], { sender });
  const order = Array.from({ length: 6 }, () => store.claim(0, 'A', 's', 9)?.transferId);
  t.same(order, ['1', '4', '5', '2', '6', '3']);
});

t.test('by hash: goes on with a lease, or begins one', async (t) => {
  const { store, put } = makeStore();
  put(0, ['A']);
  t.equal(store.claimByHash(0, 'A', null, 'hash 2'), undefined);
  t.equal(store.claimByHash(0, 'B', null, 'hash 1'), undefined);
  t.match(store.claimByHash(0, 'A', 's', 'hash 1'), { attempt: 1, leaseMs: 1000 });
  t.match(store.claimByHash(400, 'A', 's', 'hash 1'), { attempt: 1, leaseMs: 600 });
  t.match(store.claimByHash(400, 'A', null, 'hash 1'), { attempt: 1, leaseMs: 600 });
  t.match(store.claimByHash(400, 'A', 'new', 'hash 1'), { attempt: 2, leaseMs: 1000 });
  t.match(store.claimByHash(2000, 'A', null, 'hash 1'), { attempt: 3, leaseMs: 1000 });
});

t.test('views: any of the recipients, but no more of them than views', async (t) => {
  const { slab, store, put } = makeStore();
  put(0, ['A', 'B', 'C'], { views: 2 });
  const leases = ['A', 'B', 'C'].map((reader) => store.claim(0, reader, 's', 9));
  t.same(
    leases.map((lease) => lease?.transferId),
    ['1', '1', undefined],
  );
  store.ack(1, 'A', '1', commitOf('A'));
  t.equal(slab.count().used, 1, 'held until the second view ends');
  store.reject(1, 'B', '1', 'sink-refused');
  t.equal(slab.count().used, 0);
  t.match(store.status(1, 'S', '1'), {
    state: 'delivered',
    views: [{ state: 'delivered' }, { state: 'rejected' }, { state: 'expired' }],
  });
});

t.test('burn at claim: the view ends with the lease, the bytes with the answer', async (t) => {
  const { slab, store, put } = makeStore();
  put(0, ['A'], { burnAtClaim: true });
  const lease = store.claim(0, 'A', 's', 9)!;
  t.equal(store.status(0, 'S', '1')?.state, 'delivered');
  t.ok(lease.bytes.subarray(0, 64).every((byte) => byte === 1));
  t.equal(store.claim(0, 'A', 's', 9), undefined);
  lease.release();
  t.ok(slab.memory().every((slot) => slot.every((byte) => byte === 0)));
});

t.test('the time to live ends everything, leases too', async (t) => {
  const { slab, store, put } = makeStore();
  put(0, ['A'], { ttlMs: 500 });
  t.equal(store.claim(100, 'A', 's', 9)?.leaseMs, 400, 'no lease goes beyond it');
  store.settle(499);
  t.equal(slab.count().used, 1);
  store.settle(500);
  t.equal(slab.count().used, 0);
  t.equal(store.ack(501, 'A', '1', commitOf('A')), 'expired');
  t.equal(store.status(501, 'S', '1')?.state, 'expired');
});

t.test('a submit is idempotent while held and ten minutes after', async (t) => {
  const { slab, store, put } = makeStore();
  put(0, ['A'], { hash: 'same' });
  t.same(put(1, ['A'], { hash: 'same' }), { transferId: '1', repeated: true });
  t.equal(slab.count().used, 1, 'the second copy was given back');
  t.equal(put(1, ['A'], { hash: 'same', sender: 'T' }).repeated, false, 'of another sender it is another block');
  store.claim(1, 'A', 's', 9);
  store.ack(2, 'A', '1', commitOf('A'));
  t.same(store.repeated(2 + TOMBSTONE_MS - 1, 'S', 'same'), { transferId: '1', repeated: true });
  t.equal(store.repeated(2 + TOMBSTONE_MS, 'S', 'same'), undefined);
  t.equal(store.status(2 + TOMBSTONE_MS, 'S', '1'), undefined);
});

t.test('what ended is forgotten earlier when there is too much of it', async (t) => {
  const recipients = Array.from({ length: 256 }, (_, i) => `R${i}`);
  const cases = [
    { to: ['A'], most: ENDED_ENTRIES },
    { to: recipients, most: MAX_TOMBSTONE_VIEWS / recipients.length },
  ];
  for (const { to, most } of cases) {
    const { store, put } = makeStore();
    const endOne = (hash: string) => store.remove(0, 'S', put(0, to, { hash }).transferId);
    for (let i = 0; i < most; i++) endOne(`hash ${i}`);
    t.ok(store.repeated(0, 'S', 'hash 0'), `${most} of ${to.length} views`);
    endOne('one more');
    t.equal(store.repeated(0, 'S', 'hash 0'), undefined);
    t.ok(store.repeated(0, 'S', 'hash 1'));
  }
});

t.test('only the sender asks and deletes', async (t) => {
  const { slab, store, put } = makeStore();
  put(0, ['A']);
  t.equal(store.status(0, 'T', '1'), undefined);
  t.equal(store.remove(0, 'T', '1'), undefined);
  t.equal(store.remove(0, 'S', '9'), undefined);
  t.match(store.status(0, 'S', '1'), { id: '1', state: 'waiting', attempts: 0 });
  store.claim(0, 'A', 's', 9);
  t.match(store.status(0, 'S', '1'), { state: 'leased', attempts: 1 });
  t.equal(store.remove(0, 'S', '1'), 'deleted');
  t.same(slab.count(), { free: 7, used: 0, burning: 1 }, 'the lease was never released');
  t.equal(store.remove(0, 'S', '1'), 'deleted', 'and again');
});

t.test('what cannot be admitted, and what was given up', async (t) => {
  const { slab, store } = makeStore({ slotsPerSender: 6, slotsPerZone: { ot: 9, it: 9, management: 9 } });
  const slots = Array.from({ length: 6 }, () => store.admit(0, 'S', 'ot'));
  t.throws(() => store.admit(0, 'S', 'ot'), { code: 'quota-exceeded' });
  store.admit(0, 'T', 'ot');
  store.admit(0, 'T', 'ot');
  t.throws(() => store.admit(0, 'T', 'ot'), { code: 'slots-full' });
  slots[0]!.bytes.fill(9);
  store.abandon(slots[0]!);
  t.ok(slab.memory().every((slot) => slot.every((byte) => byte === 0)));
  t.equal(store.admit(0, 'S', 'ot'), slots[0]);
});

t.test(
  'a zone uses as many slots as it may, whichever of its devices asks, and leaves the others theirs',
  async (t) => {
    const { store } = makeStore({ slotsPerZone: { ot: 5, it: 8, management: 8 } });
    const slots = ['S', 'S', 'T', 'T', 'U'].map((sender) => store.admit(0, sender, 'ot'));
    t.throws(() => store.admit(0, 'V', 'ot'), { code: 'quota-exceeded', detail: 'zone ot uses 5 slots, it may use 5' });
    for (let i = 0; i < 3; i++) store.admit(0, 'I', 'it');
    t.throws(() => store.admit(0, 'I', 'it'), { code: 'slots-full' });
    store.abandon(slots[2]!);
    store.admit(0, 'V', 'ot');
    t.throws(() => store.admit(0, 'T', 'ot'), { code: 'quota-exceeded' });
  },
);

t.test('a reader that is dropped leaves the block to the others', async (t) => {
  const { slab, store, put } = makeStore();
  put(0, ['A', 'B'], { views: 1 });
  store.dropReaders(0, (did) => did !== 'A');
  t.equal(store.claim(0, 'A', 's', 9), undefined);
  t.equal(store.claim(0, 'B', 's', 9)?.transferId, '1');
  store.dropReaders(0, () => false);
  t.equal(slab.count().used, 0, 'it may have read, so the one view is used up');
  t.equal(store.status(0, 'S', '1')?.state, 'expired');
});

t.test('when the relay stops, everything burns', async (t) => {
  const { slab, store, put } = makeStore();
  put(0, ['A']);
  put(0, ['B']);
  store.burnAll(1);
  t.ok(slab.memory().every((slot) => slot.every((byte) => byte === 0)));
});
