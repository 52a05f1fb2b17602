/** What policy files hold, as their schemas in policy/iec62443/schemas have made sure of. */

/** `design` and `config`: met by the product; `partial`: under conditions; `gap`: not met yet, with a plan. */
export type ClaimKind = 'design' | 'config' | 'partial' | 'inherited' | 'not-applicable' | 'gap';

export const FOUNDATIONS = ['FR1', 'FR2', 'FR3', 'FR4', 'FR5', 'FR6', 'FR7'] as const;
export type Foundation = (typeof FOUNDATIONS)[number];

/** One SR or RE of IEC 62443-3-3; `level` is the lowest SL that asks for it. */
export interface Requirement {
  readonly id: string;
  readonly fr: Foundation;
  readonly level: number;
  readonly topic: string;
}

/** One item of the view by IEC 62443-4-2. */
export interface Component {
  readonly id: string;
  readonly level: number;
  readonly sr?: string;
  readonly topic?: string;
}

/** One thing that the product does. */
export interface Control {
  readonly id: string;
  readonly does: string;
  /** Files, by their paths from the project's folder. */
  readonly see: readonly string[];
  readonly serves: readonly string[];
}

/** What one check shows, and what it must catch. */
export interface CheckEntry {
  readonly id: string;
  readonly layer: 'build' | 'image' | 'run' | 'log';
  readonly shows: string;
  /** How old evidence by it may be. */
  readonly freshHours: number;
  readonly weakness: string;
  readonly sabotages: readonly { readonly id: string; readonly what: string }[];
  readonly proves?: 'absence';
}

/** How the product stands to something, and what that rests on. */
export interface Stance {
  readonly kind: ClaimKind;
  readonly how: string;
  readonly controls?: readonly string[];
  readonly checks?: readonly { readonly id: string; readonly bound: string }[];
  readonly conditions?: readonly string[];
  readonly inherited?: { readonly party: string; readonly shows: string; readonly until: string };
  readonly gap?: { readonly missing: string; readonly plan: string; readonly owner: string };
}

/** How the product stands to one item. */
export interface Claim extends Stance {
  readonly item: string;
  /** Hash of the requirement as it was when somebody bound the claim to it. */
  readonly bound: string;
  /** What holds instead on the appliance image. */
  readonly image?: Stance;
}

/** What a run aims at: every item up to `level`. */
export interface Profile {
  readonly id: string;
  readonly level: number;
}

/** What a report is about. */
export interface System {
  readonly name: string;
  readonly scope: string;
  readonly outOfScope: readonly string[];
  readonly zones: readonly { readonly id: string; readonly purdue: string; readonly holds: string }[];
  readonly flows: readonly { readonly from: string; readonly to: string; readonly carries: string }[];
  /** SL-T of each foundational requirement. */
  readonly targets: Readonly<Record<Foundation, number>>;
}

/** One line of another list, and the items that answer to it. */
export interface MappingRow {
  readonly id: string;
  readonly topic: string;
  readonly items: readonly string[];
  readonly note?: string;
}
