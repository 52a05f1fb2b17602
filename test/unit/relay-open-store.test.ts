/** The store that a configuration asks for, opened as the relay does: the slab, and files in memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import t from 'tap';
import { openStore } from '../../relay/store/open-store.ts';

const BLOCK_BYTES = 65_536;
const EPOCH = new Uint8Array(16).fill(3);
const noFinding = (): void => {};

t.test('the slab begins empty', async (t) => {
  const opened = await openStore({ kind: 'slab', slots: 2 }, BLOCK_BYTES, EPOCH, noFinding);
  const { store, adopted, ended, epoch, close } = opened;
  t.same(store.count(), { free: 2, used: 0, burning: 0 });
  t.same({ adopted, ended, epoch }, { adopted: [], ended: [], epoch: EPOCH });
  close();
});

t.test('a folder in memory serves one relay at a time, and opens again after it', async (t) => {
  const path = mkdtempSync('/dev/shm/ghostpipe-test-');
  t.teardown(() => rmSync(path, { recursive: true }));
  const config = { kind: 'tmpfs', slots: 2, path } as const;
  const first = await openStore(config, BLOCK_BYTES, EPOCH, noFinding);
  t.same(first.store.count(), { free: 2, used: 0, burning: 0 });
  await t.rejects(openStore(config, BLOCK_BYTES, EPOCH, noFinding), { code: 'store-in-use' });
  first.close();
  const again = await openStore(config, BLOCK_BYTES, new Uint8Array(16), noFinding);
  t.same(again.adopted, []);
  t.same(again.epoch, EPOCH, 'nothing was lost, so the epoch goes on');
  again.close();
});

t.test('a folder that is not in memory is refused', async (t) => {
  const config = { kind: 'tmpfs', slots: 1, path: import.meta.dirname } as const;
  await t.rejects(openStore(config, BLOCK_BYTES, EPOCH, noFinding), { code: /store-not-ram|swap-on/ });
});
