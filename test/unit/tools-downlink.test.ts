/** The downlink: what it does between claims, and when something fails. */
import t from 'tap';
import type { ControlItem } from '../../protocol/control.ts';
import { Problem } from '../../protocol/problem.ts';
import type { Membership } from '../../tools/lib/membership.ts';
import type { Claimed, RelayClient } from '../../tools/lib/relay-client.ts';
import { Downlink } from '../../tools/receiver/downlink.ts';
import type { Intake } from '../../tools/receiver/intake.ts';
import { seedOf } from '../fixtures/site.ts';

const LEASE: ControlItem = {
  type: 'lease',
  transferId: seedOf('transfer').subarray(0, 16),
  blockSha256: seedOf('block'),
  attempt: 1,
  leaseMs: 1000,
};

/** A downlink whose relay has `blocks` waiting, and whose intake does what `take` does; `slots` end it. */
function makeDownlink(blocks: number, slots: number, take: () => ControlItem[]) {
  const stop = new AbortController();
  const log: string[] = [];
  let [left, session, opened] = [blocks, 0, 0];
  const downlink = new Downlink({
    logReceipts: null,
    relay: {
      async claim(items: readonly ControlItem[]): Promise<Claimed> {
        const [first] = items as readonly { sessionId: Uint8Array }[];
        log.push(`claim of session ${first!.sessionId[0]}`);
        left -= 1;
        return { block: new Uint8Array(4), items: [left >= 0 ? LEASE : { type: 'cover' }] };
      },
    } as unknown as RelayClient,
    membership: {} as Membership,
    intake: { take: async () => take() } as unknown as Intake,
    senders: () => [],
    newSessionId: () => {
      session += 1;
      return new Uint8Array(16).fill(session);
    },
    blockBytes: 4,
    intervalMs: 1000,
    clock: {
      now: () => opened * 1000,
      sleep: async () => {
        opened += 1;
        if (opened > slots) stop.abort();
      },
    },
    onProblem: (problem) => void log.push(`problem ${problem.code}`),
    onPause: (problem) => void log.push(`pause ${problem?.code ?? 'well'}`),
    isDone: () => false,
  });
  return { downlink, log, run: () => downlink.run(stop.signal) };
}

t.test('a backlog is fetched in one slot, with a pause after each block: the watchdog is fed', async (t) => {
  const { downlink, log, run } = makeDownlink(3, 1, () => []);
  await run();
  const claim = 'claim of session 1';
  t.strictSame(log, [claim, 'pause well', claim, 'pause well', claim, 'pause well', claim, 'pause well']);
  t.strictSame([downlink.covers, downlink.failedSlots, downlink.answeredMs], [1, 0, 1000]);
});

t.test('a block that could not be taken is asked for again at once, by a new session', async (t) => {
  let tries = 0;
  const { downlink, log, run } = makeDownlink(3, 2, () => {
    tries += 1;
    if (tries === 2) throw new Problem('state-failed', 'disk full');
    return [];
  });
  await run();
  t.strictSame(log, [
    'claim of session 1',
    'pause well',
    'claim of session 1',
    'problem state-failed',
    'pause state-failed',
    'claim of session 2',
    'pause well',
    'claim of session 2',
    'pause well',
  ]);
  t.equal(downlink.failedSlots, 1);
});
