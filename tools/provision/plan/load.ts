/** What a plan costs: load of each link, blocks that the relay must hold, and how fast the audit log grows. */
import { type Roster, sendersTo } from '../../../protocol/roster.ts';
import type { Zone } from '../../../protocol/shapes.ts';
import { type DeviceLanes, sum, totalLanes } from './lanes.ts';
import { type Family, wireBytes } from './wire.ts';
import { familyOf, linkNameOf, type ZonePart } from './zones.ts';

const DAY_SECONDS = 86_400;
const GIB = 2 ** 30;
/** Between two signed heads of the audit log. */
const HEAD_SECONDS = 30;
/** Of one log record with its journal, as docs/operating.md has it. */
const RECORD_BYTES = 150;

export interface LinkLoad {
  readonly name: string;
  readonly zones: readonly Zone[];
  /** On the wire, in each direction, averaged over an interval. */
  readonly toRelayMbit: number;
  readonly fromRelayMbit: number;
  /** Both directions together. */
  readonly gibADay: number;
}

/** The load of each link that a zone with listeners has; zones on the same link are added up. */
export function linkLoads(zones: readonly ZonePart[], profile: Roster['profile']): LinkLoad[] {
  const names = new Set(zones.flatMap((part) => linkNameOf(part) ?? []));
  return [...names].map((name) => {
    const parts = zones.filter((part) => linkNameOf(part) === name);
    const traffic = parts.map((part) => exchangesOf(part, profile));
    const toRelay = sum(traffic.map((bytes) => bytes.toRelay));
    const fromRelay = sum(traffic.map((bytes) => bytes.fromRelay));
    const seconds = profile.intervalMs / 1000;
    return {
      name,
      zones: parts.map(({ zone }) => zone),
      toRelayMbit: (toRelay * 8) / 1e6 / seconds,
      fromRelayMbit: (fromRelay * 8) / 1e6 / seconds,
      gibADay: ((toRelay + fromRelay) / seconds) * (DAY_SECONDS / GIB),
    };
  });
}

/** Bytes on the wire in one interval: a block and a control frame a lane, and a control frame in front of a claim. */
function exchangesOf(part: ZonePart, { blockSize, controlSize }: Roster['profile']) {
  const family: Family = familyOf(part);
  const { up, down } = totalLanes(part.devices);
  const block = wireBytes(blockSize, family);
  const control = wireBytes(controlSize, family);
  const answer = wireBytes(blockSize + controlSize, family);
  return {
    toRelay: up * (block.there + control.back) + down * (control.there + answer.back),
    fromRelay: up * (block.back + control.there) + down * (control.back + answer.there),
  };
}

/** Million bytes of blocks that the relay takes in and gives out in a second. */
export function blockMBs(lanes: readonly DeviceLanes[], { blockSize, intervalMs }: Roster['profile']): number {
  const { up, down } = totalLanes(lanes);
  return ((up + down) * blockSize) / 1000 / intervalMs;
}

export interface SlotNeed {
  /** The receiver whose absence takes the most; null when no sender has a route. */
  readonly receiver: string | null;
  /** One for each lane of a sender, and what comes for that receiver in the time that it is absent. */
  readonly needed: number;
  /** How many minutes the slots of the relay last without that receiver; null when nothing waits for anybody. */
  readonly lastMinutes: number | null;
}

/** How many slots it takes to hold everything for `absentMinutes`, of the `slots` that there are. */
export function slotNeed(
  roster: Roster,
  lanes: readonly DeviceLanes[],
  { absentMinutes, slots }: { readonly absentMinutes: number; readonly slots: number },
): SlotNeed {
  const { intervalMs, lanesUp } = roster.profile;
  const { up } = totalLanes(lanes);
  const waiting = lanes
    .filter(({ down }) => down > 0)
    .map(({ device }) => ({ name: device.name, blocks: sendersTo(roster, device.name).length * lanesUp }));
  const worst = waiting.reduce((most, each) => (each.blocks > most.blocks ? each : most), { name: '', blocks: 0 });
  if (worst.blocks === 0) return { receiver: null, needed: up, lastMinutes: null };
  const intervals = Math.ceil((absentMinutes * 60_000) / intervalMs);
  const lastIntervals = Math.max(0, Math.floor((slots - up) / worst.blocks));
  return {
    receiver: worst.name,
    needed: up + worst.blocks * intervals,
    lastMinutes: (lastIntervals * intervalMs) / 60_000,
  };
}

export interface LogGrowth {
  /** What happens between two signed heads: one record when a block comes, two for each view that is read. */
  readonly recordsAHead: number;
  /** Of memory, fill records and journal included. */
  readonly mibADay: number;
}

/** How the audit log grows while every block is read by all that may. With a quantum it always grows by that. */
export function logGrowth(roster: Roster, views: readonly { readonly views: number }[]): LogGrowth {
  const { intervalMs, lanesUp, logQuantum } = roster.profile;
  const recordsAnInterval = lanesUp * sum(views.map((flow) => 1 + 2 * flow.views));
  const recordsAHead = Math.ceil((recordsAnInterval * HEAD_SECONDS * 1000) / intervalMs);
  const kept = logQuantum === 1 ? recordsAHead : logQuantum;
  return { recordsAHead, mibADay: (kept * (DAY_SECONDS / HEAD_SECONDS) * RECORD_BYTES) / 2 ** 20 };
}
