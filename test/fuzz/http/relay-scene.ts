/** The relay that is fuzzed: in this process, with real listeners; and the proof that it still works. */
import { setTimeout } from 'node:timers/promises';
import type { Call } from '../../../protocol/config.ts';
import type { ControlItem } from '../../../protocol/control.ts';
import { itemOf } from '../../../protocol/control.ts';
import { makeLog } from '../../../relay/monitor/event-log.ts';
import type { RelayClient } from '../../../tools/lib/relay-client.ts';
import { openAs, type RunningRelay, runRelay, sealTo, sessionItem } from '../../fixtures/relay.ts';
import { makeSite, type Site, ZONE_LISTENERS } from '../../fixtures/site.ts';
import { Broken } from '../target.ts';
import { Waiting } from './waiting.ts';

/** More claims than there are slots: after so many a relay that is well gives a cover. */
const MAX_CLAIMS = 32;
const BURN_WAITS = 200;

export interface RelayScene {
  readonly site: Site;
  readonly running: RunningRelay;
  readonly waiting: Waiting;
  /** The first line of the relay's log since the last call that speaks of a fault of the software. */
  takeFault(): string | null;
  /** Throws `Broken` unless a block still comes through and every slot is free after it. */
  proveWell(): Promise<void>;
  close(): Promise<void>;
}

const LOG_CALLS: readonly Call[] = [
  'checkpoint',
  'tile',
  'entries',
  'ct-epoch',
  'ct-sth',
  'ct-sth-history',
  'ct-proof',
  'ct-consistency',
  'ct-log',
  'ct-feed',
];
/** The management listener shows the audit log too. */
const LISTENERS = ZONE_LISTENERS.map((each) =>
  each.zone === 'management' ? { ...each, calls: [...new Set([...each.calls, ...LOG_CALLS])] } : each,
);

/** Starts a relay with one sender, one reader and an auditor, all registered; `folder` is empty and its own. */
export async function openScene(folder: string): Promise<RelayScene> {
  const site = makeSite({
    directory: folder,
    devices: [
      { name: 'plc-A1', roles: ['send'], zone: 'ot' },
      { name: 'historian', roles: ['receive'], zone: 'it' },
      { name: 'auditor', roles: ['audit'], zone: 'management' },
    ],
    routes: [{ from: 'plc-A1', to: ['historian'] }],
    config: { limits: { bodySeconds: 5 }, listeners: LISTENERS },
  });
  let fault: string | null = null;
  const waiting = new Waiting();
  const ends: (() => unknown)[] = [() => waiting.close()];
  const running = await runRelay({ teardown: (end) => void ends.push(end as () => unknown) }, site, {
    log: makeLog('warn', {
      write(line) {
        if (line.includes('internal')) fault ??= line.trim();
      },
    }),
    onDelivery() {},
  });
  const sender = await running.registered(site.device('plc-A1'));
  const reader = await running.registered(site.device('historian'));
  await running.registered(site.device('auditor'));
  return {
    site,
    running,
    waiting,
    takeFault() {
      const taken = fault;
      fault = null;
      return taken;
    },
    proveWell: () => proveWell(site, running, sender, reader),
    async close() {
      for (const end of ends) await end();
    },
  };
}

async function proveWell(site: Site, running: RunningRelay, sender: RelayClient, reader: RelayClient): Promise<void> {
  const session = crypto.getRandomValues(new Uint8Array(1))[0]!;
  const exchange = (items: readonly ControlItem[]) => reader.claim([sessionItem(1, session), ...items], 65_536);

  // 1. What the fuzzer left is rejected, so that every slot becomes free.
  await drain(exchange);
  await requireFree(running, 'before');

  // 2. One good block goes through.
  await sender.submit(sealTo(site.device('plc-A1'), [site.device('historian')]));
  const { block, items } = await exchange([]);
  const lease = itemOf(items, 'lease');
  if (!lease) throw new Broken('a good block was not given to its reader');
  const { ackSecret } = openAs(site, site.device('historian'), block);
  const said = await reader.ack([{ type: 'ack', transferId: lease.transferId, ackSecret }]);
  const state = itemOf(said, 'status')?.state;
  if (state !== 'delivered') throw new Broken(`a good block is ${state} after its acknowledgement`);
  await requireFree(running, 'after');
}

async function drain(exchange: (items: readonly ControlItem[]) => ReturnType<RelayClient['claim']>): Promise<void> {
  let said: readonly ControlItem[] = [];
  for (let claims = 0; claims < MAX_CLAIMS; claims++) {
    const { items } = await exchange(said);
    const lease = itemOf(items, 'lease');
    if (!lease) return;
    said = [{ type: 'reject', transferId: lease.transferId, code: 'cannot-open' }];
  }
  throw new Broken(`${MAX_CLAIMS} claims did not empty the relay`);
}

/** A slot whose answer is under way is freed when it has ended. */
async function requireFree({ conduit }: RunningRelay, when: string): Promise<void> {
  const { store } = conduit;
  const slots = store.memory().length;
  for (let waits = 0; waits < BURN_WAITS && store.count().free < slots; waits++) await setTimeout(5);
  const { free, used, burning } = store.count();
  if (free !== slots) throw new Broken(`${free} of ${slots} slots are free ${when} (${used} used, ${burning} burning)`);
}
