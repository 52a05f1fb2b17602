/**
 * What keeps the zones apart, and which requirement of IEC 62443-3-3 each control serves. A control that the plan itself
 * shows to be weak says so; whether the others work is what tests and evidence are for.
 */

import { isWildcard } from '../../lib/nftables.ts';
import type { Plan } from './model.ts';
import { sharedLinks } from './weaknesses.ts';
import { areSeparated } from './zones.ts';

export interface Control {
  readonly id: string;
  readonly what: string;
  /** Ids of requirements and enhancements, as `SR 5.2 RE(1)`. */
  readonly serves: readonly string[];
  /** Why this plan weakens it; null when it does not. */
  readonly weakness: string | null;
}

/** The controls of a plan, boundary first. */
export function controlsOf(plan: Plan): Control[] {
  const { zones, conduits } = plan;
  const shared = sharedLinks(plan);
  const wild = zones.flatMap(({ listeners }) => listeners).some(isWildcard);
  const opened = conduits.filter(({ name, isOpen }) => isOpen && name !== 'data').map(({ name }) => name);
  const control = (id: string, what: string, serves: readonly string[], weakness: string | false = false): Control => ({
    id,
    what,
    serves,
    weakness: weakness || null,
  });
  return [
    control(
      'zone-networks',
      'each zone reaches the relay over a network card of its own',
      ['SR 5.1', 'SR 5.1 RE(1)'],
      shared.length > 0 && `zones share ${shared.join(', ')}`,
    ),
    control(
      'zone-listeners',
      'each listener is bound to the address of its zone',
      ['SR 5.1', 'SR 5.2'],
      wild && 'a listener is bound to all addresses',
    ),
    control('firewall', "the relay's host drops what the plan does not name", ['SR 5.2', 'SR 5.2 RE(1)']),
    control('no-forwarding', 'no packet is forwarded from one zone to another', ['SR 5.1', 'SR 5.2 RE(1)']),
    control('ended-connections', 'every connection ends at the relay, which opens none', ['SR 5.2', 'SR 5.2 RE(3)']),
    control('listed-calls', 'a listener serves the calls of its list only', ['SR 5.2 RE(1)', 'SR 5.4', 'SR 7.7']),
    control(
      'zone-gate',
      'a device of another zone gets the answer of strangers, which is counted and logged',
      ['SR 5.2', 'SR 2.8'],
      !areSeparated(zones) && 'all data calls are in one zone',
    ),
    control(
      'firmware-conduit',
      'towards OT go receipts and keys in answers of fixed size, no blocks',
      ['SR 5.2 RE(1)', 'SR 5.3'],
      opened.length > 0 && `${opened.join(', ')} is open`,
    ),
    control('sealed-blocks', 'the relay cannot read what it carries', ['SR 4.1', 'SR 4.1 RE(2)', 'SR 4.3']),
    control('pinned-tls', 'TLS 1.3, post-quantum, the relay pinned by every device', [
      'SR 1.2',
      'SR 3.1',
      'SR 4.1 RE(1)',
    ]),
    control('uniform-blocks', 'one block of one size a lane and interval, idle or not', ['SR 4.1']),
    control('memory-only', 'blocks are in memory only and overwritten when read or expired', [
      'SR 4.2',
      'SR 4.2 RE(1)',
    ]),
    control('island', 'senders keep everything while a zone is cut off', ['SR 5.2 RE(2)', 'SR 7.1']),
    control('bounded-load', 'lanes, slots and connections are bounded by this plan', ['SR 7.1', 'SR 7.1 RE(1)']),
    control('plan', 'settings of the boundary are printed for people and programs', ['SR 7.6', 'SR 7.6 RE(1)']),
  ];
}
