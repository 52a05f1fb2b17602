/** The store that a configuration asks for, opened as the relay does: the slab, and files in memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import t from 'tap';
import { openStore } from '../../relay/store/open-store.ts';

const BLOCK_BYTES = 65_536;
const noFinding = (): void => {};

t.test('the slab begins empty', async (t) => {
  const { store, adopted, close } = await openStore({ kind: 'slab', slots: 2 }, BLOCK_BYTES, noFinding);
  t.same(store.count(), { free: 2, used: 0, burning: 0 });
  t.same(adopted, []);
  close();
});

t.test('a folder in memory serves one relay at a time, and opens again after it', async (t) => {
  const path = mkdtempSync('/dev/shm/ghostpipe-test-');
  t.teardown(() => rmSync(path, { recursive: true }));
  const config = { kind: 'tmpfs', slots: 2, path } as const;
  const first = await openStore(config, BLOCK_BYTES, noFinding);
  t.same(first.store.count(), { free: 2, used: 0, burning: 0 });
  await t.rejects(openStore(config, BLOCK_BYTES, noFinding), { code: 'store-in-use' });
  first.close();
  const again = await openStore(config, BLOCK_BYTES, noFinding);
  t.same(again.adopted, []);
  again.close();
});

t.test('a folder that is not in memory is refused', async (t) => {
  const config = { kind: 'tmpfs', slots: 1, path: import.meta.dirname } as const;
  await t.rejects(openStore(config, BLOCK_BYTES, noFinding), { code: /store-not-ram|swap-on/ });
});
