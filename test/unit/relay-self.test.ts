/** The device by which an appliance tests its own relay, as the relay treats it. */
import t from 'tap';
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
