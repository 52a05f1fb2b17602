/**
 * Lanes: how many exchanges of one block each device has in an interval, whatever it has to say. A sender has as many
 * as the sector profile says; a receiver a quarter more than the streams that lead to it, so that it catches up.
 */
import { type Roster, type RosterDevice, sendersTo } from '../../../protocol/roster.ts';

const CATCH_UP = 1.25;

export interface DeviceLanes {
  readonly device: RosterDevice;
  /** Blocks that it submits in an interval. */
  readonly up: number;
  /** Blocks or covers that it claims in an interval. */
  readonly down: number;
}

/** The lanes of every device of the roster, in its order. */
export function lanesOf(roster: Roster): DeviceLanes[] {
  return roster.devices.map((device) => ({
    device,
    up: device.roles.includes('send') ? roster.profile.lanesUp : 0,
    down: device.roles.includes('receive') ? downLanes(roster, device.name) : 0,
  }));
}

function downLanes(roster: Roster, receiver: string): number {
  const streams = sendersTo(roster, receiver).length * roster.profile.lanesUp;
  return Math.max(roster.profile.lanesDown, Math.ceil(CATCH_UP * streams));
}

/** All lanes of some devices together. */
export function totalLanes(lanes: readonly DeviceLanes[]): { readonly up: number; readonly down: number } {
  return { up: sum(lanes.map(({ up }) => up)), down: sum(lanes.map(({ down }) => down)) };
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
