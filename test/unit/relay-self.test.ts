/** The device by which an appliance tests its own relay, as the relay treats it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readSelf } from '../../relay/members/self-device.ts';
import { Deliveries } from '../../relay/store/deliveries.ts';
import { Slab } from '../../relay/store/slab.ts';

const LIMITS = { leaseMs: 1000, leasesPerReader: 2, slotsPerSender: 9, slotsPerZone: { ot: 9, it: 9, management: 9 } };

t.test('it has one slot, which nobody else gets', async (t) => {
  const deliveries = new Deliveries(
    new Slab(3, 64),
    { ...LIMITS, self: 'SELF' },
    () => '1',
    () => {},
  );
  const held = [deliveries.admit(0, 'S', 'ot'), deliveries.admit(0, 'S', 'ot')];
  t.throws(() => deliveries.admit(0, 'S', 'ot'), { code: 'slots-full' }, 'the last free slot is kept');
  const own = deliveries.admit(0, 'SELF', 'management');
  t.throws(() => deliveries.admit(0, 'SELF', 'management'), { code: 'quota-exceeded' });
  deliveries.abandon(held[0]!);
  deliveries.admit(0, 'S', 'ot');
  deliveries.abandon(own);
  t.throws(() => deliveries.admit(0, 'S', 'ot'), { code: 'slots-full' });
});

t.test('what the relay is told of it is one small file', async (t) => {
  const path = join(t.testdir(), 'self.json');
  await t.rejects(readSelf(path), { code: 'config-missing' });
  writeFileSync(path, '{"v":1}');
  await t.rejects(readSelf(path), { code: 'file-invalid', message: /key "did" is missing/ });
  writeFileSync(path, ' '.repeat(20_000));
  await t.rejects(readSelf(path), { code: 'file-invalid', message: /20000 bytes, at most 16384/ });
});
