/**
 * The plan of a site: zones, conduits and flows as they follow from the signed roster and the relay's configuration,
 * what they cost, and what of it is beyond the link or the board. Text, picture, JSON and firewall are made of it.
 */
import type { RelayConfig } from '../../../protocol/config.ts';
import { type Roster, routeOf } from '../../../protocol/roster.ts';
import { BOARDS, type BoardName } from './boards.ts';
import { type Conduit, conduitsOf } from './conduits.ts';
import { type Control, controlsOf } from './controls.ts';
import { type DeviceLanes, lanesOf } from './lanes.ts';
import { type Excess, excessesOf } from './limits.ts';
import { blockMBs, type LinkLoad, type LogGrowth, linkLoads, logGrowth, type SlotNeed, slotNeed } from './load.ts';
import { weaknessesOf } from './weaknesses.ts';
import { type Interfaces, type ZonePart, zonePartsOf } from './zones.ts';

export interface PlanRequest {
  readonly board: BoardName;
  /** What each link carries in each direction; the board's network card when it is null. */
  readonly linkMbit: number | null;
  /** How long the relay shall hold everything for a receiver that is away. */
  readonly absentMinutes: number;
  readonly interfaces: Interfaces;
}

/** Who reaches whom: a route of the roster with its groups resolved. */
export interface Flow {
  readonly from: string;
  readonly to: readonly string[];
  /** How many of them may read each block. */
  readonly views: number;
}

export interface Plan {
  readonly siteName: string;
  readonly version: number;
  readonly profile: Roster['profile'];
  readonly board: BoardName;
  readonly linkMbit: number;
  readonly absentMinutes: number;
  readonly store: RelayConfig['store'];
  readonly limits: RelayConfig['limits'];
  readonly auditMiB: number;
  readonly zones: readonly ZonePart[];
  readonly lanes: readonly DeviceLanes[];
  readonly conduits: readonly Conduit[];
  readonly flows: readonly Flow[];
  readonly links: readonly LinkLoad[];
  readonly blockMBs: number;
  readonly slots: SlotNeed;
  readonly log: LogGrowth;
}

/** A plan with what an operator must know of it. */
export interface JudgedPlan extends Plan {
  /** What makes it weaker than it could be; it works all the same. */
  readonly weaknesses: readonly string[];
  /** What is beyond the link, the board or the configuration; a plan with any is refused. */
  readonly excesses: readonly Excess[];
  readonly controls: readonly Control[];
}

/** The plan that follows from a site's roster and its relay's configuration. */
export function planOf(roster: Roster, config: RelayConfig, request: PlanRequest): JudgedPlan {
  const { board, linkMbit, absentMinutes, interfaces } = request;
  const { profile, siteName, version } = roster;
  const lanes = lanesOf(roster);
  const zones = zonePartsOf(config, lanes, interfaces);
  const flows = flowsOf(roster);
  const plan: Plan = {
    siteName,
    version,
    profile,
    board,
    linkMbit: linkMbit ?? BOARDS[board].nicMbit,
    absentMinutes,
    store: config.store,
    limits: config.limits,
    auditMiB: config.audit.ramMiB,
    zones,
    lanes,
    conduits: conduitsOf(zones),
    flows,
    links: linkLoads(zones, profile),
    blockMBs: blockMBs(lanes, profile),
    slots: slotNeed(roster, lanes, { absentMinutes, slots: config.store.slots }),
    log: logGrowth(roster, flows),
  };
  return { ...plan, weaknesses: weaknessesOf(plan), excesses: excessesOf(plan), controls: controlsOf(plan) };
}

function flowsOf(roster: Roster): Flow[] {
  return roster.routes.flatMap(({ from }) => {
    try {
      const { recipients, views } = routeOf(roster, from);
      return [{ from, to: recipients.map(({ name }) => name), views }];
    } catch {
      return []; // it leads to nobody: a weakness of the plan, no flow
    }
  });
}
