/** What a check is: it looks at something, says what it saw beside what it has to be, and knows its sabotages. */
import type { BuildTree } from './build-tree.ts';
import type { ImageView } from './image/image-view.ts';
import type { ImageSabotage } from './image/sabotage.ts';
import type { Observation } from './record.ts';
import type { Reached } from './scene/live-relay.ts';
import type { LogEvidence } from './scene/log-evidence.ts';
import type { Sabotage, Scene, Written } from './scene/scene.ts';

/** Notes one observation; `rule` is `is` when it is left out. */
export type See = (
  name: string,
  value: Observation['value'],
  limit: Observation['limit'],
  rule?: Observation['rule'],
  unit?: string,
) => void;

interface CheckBase {
  readonly id: string;
}

/** Looks at a relay at work, in a scene of its own. */
export interface RunCheck extends CheckBase {
  readonly layer: 'run';
  readonly reaches?: never;
  /** What the check needs the configuration under test to have besides. */
  readonly prepare?: (written: Written) => Written;
  look(scene: Scene, see: See): Promise<void>;
  readonly sabotages: Readonly<Record<string, Sabotage>>;
}

/** Looks at a relay from outside, as anybody may: at that of a site when one is reached, else at a twin. */
export interface ReachCheck extends CheckBase {
  readonly layer: 'run';
  readonly reaches: true;
  look(relay: Reached, see: See): Promise<void>;
  readonly sabotages: Readonly<Record<string, Sabotage>>;
}

/** Looks at what was read of an audit log. A sabotage changes that, or the relay that wrote it. */
export interface LogCheck extends CheckBase {
  readonly layer: 'log';
  /** Looks at the copy alone: at that of an export when one is given, instead of a twin's. */
  readonly readsExport?: true;
  look(evidence: LogEvidence, see: See): void;
  readonly sabotages: Readonly<Record<string, Sabotage>>;
}

/** Looks at the files that the software is built from. */
export interface BuildCheck extends CheckBase {
  readonly layer: 'build';
  look(tree: BuildTree, see: See): void;
  readonly sabotages: Readonly<Record<string, (tree: BuildTree) => BuildTree>>;
}

/** Looks at an image file. */
export interface ImageCheck extends CheckBase {
  readonly layer: 'image';
  look(image: ImageView, see: See): void;
  readonly sabotages: Readonly<Record<string, ImageSabotage>>;
}

export type Check = RunCheck | ReachCheck | LogCheck | BuildCheck | ImageCheck;
