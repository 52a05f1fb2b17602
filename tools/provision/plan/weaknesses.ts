/** What makes a plan weaker than it could be, a sentence each. The relay runs all the same. */

import { isLoopback, isWildcard } from '../../lib/nftables.ts';
import { quantumFor } from './limits.ts';
import type { Plan } from './model.ts';
import { areSeparated, linkNameOf, serves } from './zones.ts';

export function weaknessesOf(plan: Plan): string[] {
  return [...oneCard(plan), ...bindings(plan), ...separation(plan), ...conduits(plan), ...idle(plan), ...quantum(plan)];
}

/** Whether OT and IT, or any two zones, reach the relay by the same link. */
export function sharedLinks({ zones }: Plan): string[] {
  const names = zones.flatMap((part) => linkNameOf(part) ?? []);
  return [...new Set(names.filter((name, at) => names.indexOf(name) !== at))];
}

function oneCard(plan: Plan): string[] {
  return sharedLinks(plan).map((name) => {
    const zones = plan.zones.filter((part) => linkNameOf(part) === name).map(({ zone }) => zone);
    return `one NIC: ${zones.join(', ')} share ${name}, so only software and a switch keep them apart (SR 5.1, not RE(1)); give each zone a network card of its own`;
  });
}

function bindings({ zones }: Plan): string[] {
  return zones.flatMap(({ zone, listeners }) =>
    listeners
      .filter(isWildcard)
      .map(
        ({ address, port }) =>
          `the listener of ${zone} at port ${port} is bound to ${address}, so every network of the host reaches it; write its address into relay.yaml`,
      ),
  );
}

function separation({ zones }: Plan): string[] {
  if (areSeparated(zones)) return [];
  return ['all data calls are served in one zone, so every device is served there and no zone is kept from another'];
}

function conduits({ conduits }: Plan): string[] {
  const beyond = conduits.filter(({ name, isOpen }) => isOpen && name !== 'data');
  return beyond.map(
    ({ name, from, to }) => `the conduit ${name} from ${from} to ${to} is open; by default it is closed`,
  );
}

function idle({ lanes, flows, zones }: Plan): string[] {
  const routed = new Set(flows.map(({ from }) => from));
  const lost = lanes.filter(({ device, up }) => up > 0 && !routed.has(device.name));
  const unreachable = zones.filter(({ listeners }) => listeners.length > 0 && listeners.every(isLoopback));
  const management = zones.some((part) => serves(part, 'roster-publish'));
  return [
    ...lost.map(({ device }) => `${device.name} has the role send and its route leads to no receiver`),
    ...unreachable.map(
      ({ zone }) => `zone ${zone} is reached from the relay's own host only: its listeners are on loopback`,
    ),
    ...(management ? [] : ['no listener serves roster-publish: a new roster needs a restart of the relay']),
  ];
}

function quantum({ log: { recordsAHead }, profile: { logQuantum } }: Plan): string[] {
  if (logQuantum === 1)
    return ['logQuantum is 1: the size of the audit log, which anybody may read, tells how much happens'];
  const wanted = quantumFor(recordsAHead);
  if (recordsAHead > logQuantum || wanted <= logQuantum) return [];
  return [
    `${recordsAHead} log records come between two heads, for which logQuantum should be ${wanted}; the sector profile has ${logQuantum}`,
  ];
}
