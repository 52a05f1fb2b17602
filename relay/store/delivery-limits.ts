/** The limits of deliveries, as configuration and sector profile make them together. */
import type { RelayConfig } from '../../protocol/config.ts';
import type { Roster } from '../../protocol/roster.ts';
import type { DeliveryLimits } from './deliveries.ts';

/** A lease lasts as many slots at least: a block is acknowledged in the second after its claim, or the third. */
const LEASE_SLOTS = 4;

/** Limits that follow the profile of the moment: each lane of a reader has leases of its own. */
export function deliveryLimits(
  limits: RelayConfig['limits'],
  profile: () => Roster['profile'],
  self: string | null,
): DeliveryLimits {
  return {
    ...limits,
    self,
    get leaseMs() {
      return Math.max(limits.leaseSeconds * 1000, LEASE_SLOTS * profile().intervalMs);
    },
    get leasesPerReader() {
      return limits.leasesPerReader * profile().lanesDown;
    },
  };
}
