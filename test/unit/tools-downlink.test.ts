/** The downlink: what it says and takes in each slot, and what it does when something fails. */
import t from 'tap';
import type { ControlItem } from '../../protocol/control.ts';
import { Problem } from '../../protocol/problem.ts';
import type { Directory } from '../../tools/lib/directory.ts';
import type { Membership } from '../../tools/lib/membership.ts';
import type { Claimed, RelayClient } from '../../tools/lib/relay-client.ts';
import { Downlink } from '../../tools/receiver/downlink.ts';
import { seedOf } from '../fixtures/site.ts';

/** The lease of block `number`. */
function leaseOf(number: number): ControlItem {
  const transferId = new Uint8Array(16).fill(number);
  return { type: 'lease', transferId, blockSha256: seedOf('block'), attempt: 1, leaseMs: 1000 };
}

interface Scene {
  /** What the relay gives, claim by claim: the number of a block, or 0 for a cover. */
  readonly gives: readonly number[];
  readonly slots: number;
  readonly lanes?: number;
  readonly take?: (number: number) => Promise<ControlItem[]> | ControlItem[];
  readonly isDone?: () => boolean;
}

/** A downlink and what is heard of it; `slots` slots pass before it is asked to stop. */
function makeDownlink({ gives, slots, lanes = 1, take = (number) => [ackOf(number)], isDone = () => false }: Scene) {
  const stop = new AbortController();
  const log: string[] = [];
  const profile = { blockSize: 4, intervalMs: 1000, lanesUp: 1, lanesDown: lanes, controlSize: 32_768, logQuantum: 1 };
  const roster = { profile };
  let [claims, session, nowMs] = [0, 0, 0];
  const downlink = new Downlink({
    logReceipts: null,
    relay: {
      async claim(items: readonly ControlItem[]): Promise<Claimed> {
        const number = gives[claims++] ?? 0;
        log.push(said(items));
        if (number < 0) throw new Problem('relay-unreachable', 'cut');
        return { block: new Uint8Array([number]), items: [number > 0 ? leaseOf(number) : { type: 'cover' }] };
      },
    } as unknown as RelayClient,
    membership: {
      isComplete: true,
      renew: async () => ({ isNew: false, problems: [] }),
      takeBeside: () => {},
    } as unknown as Membership,
    directory: { roster } as unknown as Directory,
    intake: { take: async ([number]) => take(number!), takeAgain: async () => [] },
    newSessionId: () => {
      session += 1;
      return new Uint8Array(16).fill(session);
    },
    grid: { intervalMs: 1000, phaseMs: 500 },
    clock: {
      now: () => nowMs,
      sleep: async (ms) => {
        nowMs += Math.max(0, ms);
        await new Promise(setImmediate);
      },
    },
    onProblem: ({ code }) => void log.push(`problem ${code}`),
    onSlot: (problem) => {
      log.push(`slot ${problem?.code ?? 'well'}`);
      if (log.filter((line) => line.startsWith('slot')).length >= slots) stop.abort();
    },
    isDone,
    forced: new AbortController().signal,
  });
  return { downlink, log, roster, run: () => downlink.run(stop.signal) };
}

function ackOf(number: number): ControlItem {
  return { type: 'ack', transferId: new Uint8Array(16).fill(number), ackSecret: new Uint8Array(32) };
}

/** As `session 1 wants 2: ack 7`. */
function said(items: readonly ControlItem[]): string {
  const [first, ...rest] = items;
  const { sessionId, maxLeases } = first as Extract<ControlItem, { type: 'session' }>;
  const acks = rest.map((item) => `${item.type} ${'transferId' in item ? item.transferId[0] : ''}`);
  return `session ${sessionId[0]} wants ${maxLeases}: ${acks.join(', ')}`;
}

t.test('one claim a slot, also while blocks wait; acks go with the next one', async (t) => {
  const { downlink, log, run } = makeDownlink({ gives: [7, 8, 0, 9], slots: 4 });
  await run();
  t.strictSame(log, [
    'session 1 wants 2: ',
    'slot well',
    'session 1 wants 2: ack 7',
    'slot well',
    'session 1 wants 2: ack 8',
    'slot well',
    'session 1 wants 2: ',
    'slot well',
    'session 1 wants 0: ack 9', // what was still to be said, and no more blocks
    'slot well',
  ]);
  t.strictSame([downlink.covers, downlink.failedSlots, downlink.missedSlots], [2, 0, 0]);
});

t.test('a sink that takes its time delays no slot, and no block is taken twice', async (t) => {
  let go = (): void => {};
  const committed = new Promise<void>((resolve) => {
    go = resolve;
  });
  const taken: number[] = [];
  const take = async (number: number) => {
    taken.push(number);
    await committed;
    return [ackOf(number)];
  };
  const { log, run } = makeDownlink({ gives: [7, 7, 0, 0], slots: 4, take });
  setTimeout(() => go(), 50);
  await run();
  t.equal(log.filter((line) => line === 'session 1 wants 2: ').length, 4, 'four slots without an ack');
  t.strictSame(taken, [7]);
  t.equal(log.at(-2), 'session 1 wants 0: ack 7');
});

t.test('as many claims a slot as the roster says, also when it changes; each item is said once', async (t) => {
  const scene = makeDownlink({ gives: [7, 8], slots: 2, lanes: 2 });
  await scene.run();
  t.strictSame(scene.log, [
    'session 1 wants 4: ',
    'session 1 wants 4: ',
    'slot well',
    'session 1 wants 4: ack 7, ack 8',
    'session 1 wants 4: ',
    'slot well',
  ]);
  const other = makeDownlink({ gives: [], slots: 2 });
  Object.assign(other.roster, { profile: { ...other.roster.profile, intervalMs: 500 } });
  await other.run();
  t.ok(other.log.includes('slot profile-mismatch'), 'another interval takes another process');
});

t.test('a block that could not be taken is asked for again, by a new session', async (t) => {
  let tries = 0;
  const take = (number: number) => {
    tries += 1;
    if (tries === 1) throw new Problem('state-failed', 'disk full');
    return [ackOf(number)];
  };
  const { downlink, log, run } = makeDownlink({ gives: [7, 7], slots: 2, take });
  await run();
  t.strictSame(log, [
    'session 1 wants 2: ',
    'problem state-failed',
    'slot well',
    'session 2 wants 2: ',
    'slot well',
    'session 2 wants 0: ack 7',
    'slot well',
  ]);
  t.equal(downlink.failedSlots, 1);
});

t.test('what a lost exchange said is said again, in the next slot and not before', async (t) => {
  const { log, run } = makeDownlink({ gives: [7, -1, 0], slots: 3 });
  await run();
  t.strictSame(log, [
    'session 1 wants 2: ',
    'slot well',
    'session 1 wants 2: ack 7',
    'problem relay-unreachable',
    'slot relay-unreachable',
    'session 2 wants 2: ack 7',
    'slot well',
  ]);
});

t.test('who has enough takes no block more, and says what is to be said', async (t) => {
  let count = 0;
  const take = (number: number) => {
    count += 1;
    return [ackOf(number)];
  };
  const { log, run } = makeDownlink({ gives: [7, 8], slots: 9, lanes: 2, take, isDone: () => count > 0 });
  await run();
  t.equal(count, 1);
  t.strictSame(log.slice(2), ['slot well', 'session 1 wants 0: ack 7', 'session 1 wants 0: ', 'slot well']);
});
