/**
 * Conduits: what can cross the relay from one zone to another. They follow from the calls of the listeners: blocks can
 * go from a zone that submits to a zone that claims, and nowhere else.
 */
import type { Zone } from '../../../protocol/shapes.ts';
import { serves, type ZonePart, zonePart } from './zones.ts';

export interface Conduit {
  readonly name: string;
  readonly from: Zone;
  readonly to: Zone;
  readonly isOpen: boolean;
  readonly carries: string;
  /** Why it is open or closed, by the listeners. */
  readonly because: string;
}

/** The two conduits that every plan shows, then further ones that the configuration opens. */
export function conduitsOf(zones: readonly ZonePart[]): Conduit[] {
  const known = [
    conduit(zones, 'data', 'ot', 'it', 'sealed blocks of readings and files'),
    conduit(zones, 'firmware', 'it', 'ot', 'sealed blocks of firmware'),
  ];
  const others = zones.flatMap(({ zone: from }) =>
    zones
      .filter(({ zone: to }) => from !== to && !known.some((entry) => entry.from === from && entry.to === to))
      .map(({ zone: to }) => conduit(zones, `${from}-to-${to}`, from, to, 'sealed blocks'))
      .filter(({ isOpen }) => isOpen),
  );
  return [...known, ...others];
}

function conduit(zones: readonly ZonePart[], name: string, from: Zone, to: Zone, carries: string): Conduit {
  const submits = serves(zonePart(zones, from), 'inbound');
  const claims = serves(zonePart(zones, to), 'claim') || serves(zonePart(zones, to), 'outbound');
  const because = [`${from} ${submits ? 'may' : 'may not'} submit`, `${to} ${claims ? 'may' : 'may not'} claim`].join(
    ', ',
  );
  return { name, from, to, isOpen: submits && claims, carries, because };
}
