/** Looking: runs checks on a clean scene and on each sabotaged one, and says what came of it. */
import type { Engine } from '../../protocol/engine/engine.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { digestsOf, readBuildTree } from './build-tree.ts';
import type { BuildCheck, Check, ImageCheck, LogCheck, ReachCheck, RunCheck, See } from './check.ts';
import type { ImageView } from './image/image-view.ts';
import { type EvidenceRecord, type Observation, resultOf } from './record.ts';
import type { Reached } from './scene/live-relay.ts';
import type { LogCopy } from './scene/log-copy.ts';
import { gatherLog, type LogEvidence } from './scene/log-evidence.ts';
import { type Sabotage, Scene, type SceneOptions, type Written } from './scene/scene.ts';

export interface LookingOptions {
  readonly engine: Engine;
  /** Folder of the project under test. */
  readonly project: string;
  /** The folder of `makeTemplate`. */
  readonly template: string;
  /** The configuration under test; that of a new site when it is left out. */
  readonly written?: Written;
  /** An export of the audit log to be looked at instead of a twin's log, where a check can. */
  readonly log?: LogCopy;
  /** The relay of a site, to be looked at instead of a twin, where a check can. */
  readonly live?: Reached;
  /** The image under test; without one the checks of the image do not run. */
  readonly image?: ImageView;
  /** Wall milliseconds. */
  readonly now: () => number;
  /** How many scenes may be busy at the same time, besides those that wait for the log. */
  readonly scenes: number;
  /** Told of each look that ended. */
  readonly onLook?: (check: string, sabotage: string | null, looked: Looked) => void;
}

/** What one look at one scene gave. */
export type Looked = Pick<
  EvidenceRecord,
  'result' | 'detail' | 'observed' | 'startedAt' | 'endedAt' | 'bootId' | 'files'
>;

/** What a check said of the clean scene and of its sabotages. */
export interface CheckOutcome {
  readonly check: Check;
  readonly clean: Looked;
  /** By the name of the sabotage. */
  readonly sabotaged: ReadonlyMap<string, Looked>;
}

type Seen = Pick<Looked, 'observed' | 'bootId' | 'files'>;

export class Looking {
  readonly #options: LookingOptions;
  #free: number;
  readonly #waiting: (() => void)[] = [];
  #log: Promise<{ readonly evidence: LogEvidence; readonly bootId: string }> | undefined;

  constructor(options: LookingOptions) {
    this.#options = options;
    this.#free = options.scenes;
  }

  /** Looks at all scenes of all these checks. Nothing is refused: what breaks off has the result `error`. */
  async all(checks: readonly Check[]): Promise<CheckOutcome[]> {
    // Checks of the log begin first: they wait for heads, which costs nothing.
    const ordered = checks.toSorted((a, b) => Number(b.layer === 'log') - Number(a.layer === 'log'));
    const outcomes = await Promise.all(ordered.map((check) => this.#outcome(check)));
    return outcomes.toSorted((a, b) => checks.indexOf(a.check) - checks.indexOf(b.check));
  }

  async #outcome(check: Check): Promise<CheckOutcome> {
    const names = Object.keys(check.sabotages);
    const looks = [null, ...names].map(async (name) => {
      const looked = await this.#look(check, name);
      this.#options.onLook?.(check.id, name, looked);
      return looked;
    });
    const [clean, ...sabotaged] = await Promise.all(looks);
    return { check, clean: clean!, sabotaged: new Map(names.map((name, i) => [name, sabotaged[i]!])) };
  }

  async #look(check: Check, sabotage: string | null): Promise<Looked> {
    const time = () => new Date(this.#options.now()).toISOString();
    let startedAt = time();
    try {
      const seen = await this.#inTurn(check, () => {
        startedAt = time();
        return this.#see(check, sabotage);
      });
      const result = resultOf(seen.observed);
      const detail = result === 'error' ? 'nothing was observed' : '';
      return { ...seen, result, detail, startedAt, endedAt: time() };
    } catch (thrown) {
      const { code, detail } = asProblem(thrown);
      const result = code === 'tool-missing' ? 'not-run' : 'error';
      const cut = `${code}: ${detail}`.replace(/[^\x20-\x7e]/g, ' ').slice(0, 500);
      return { result, detail: cut, observed: [], startedAt, endedAt: time(), bootId: '', files: [] };
    }
  }

  #see(check: Check, sabotage: string | null): Promise<Seen> {
    switch (check.layer) {
      case 'run':
        return this.#seeRelay(check, sabotage);
      case 'log':
        return this.#seeLog(check, sabotage);
      case 'build':
        return this.#seeFiles(check, sabotage);
      case 'image':
        return this.#seeImage(check, sabotage);
    }
  }

  async #seeRelay(check: RunCheck | ReachCheck, sabotage: string | null): Promise<Seen> {
    const { live } = this.#options;
    if (live && check.reaches && sabotage === null) {
      const { observed, see } = observing();
      await check.look(live, see);
      return { observed, bootId: await live.bootId(), files: [] };
    }
    const { sabotages } = check;
    const prepare = check.reaches ? undefined : check.prepare;
    const own = sabotage === null ? {} : sabotages[sabotage]!;
    const change = (written: Written): Written => {
      const prepared = prepare?.(written) ?? written;
      return own.change?.(prepared) ?? prepared;
    };
    const scene = this.#scene({ ...own, change });
    const { observed, see } = observing();
    try {
      await check.look(scene, see);
      return { observed, bootId: await scene.bootId(), files: [] };
    } finally {
      await scene.close();
    }
  }

  async #seeLog(check: LogCheck, name: string | null): Promise<Seen> {
    const sabotage = name === null ? undefined : check.sabotages[name]!;
    const { log } = this.#options;
    if (log && check.readsExport && !sabotage?.mutations) return this.#seeExport(check, log, sabotage);
    const isLive = sabotage?.mutations !== undefined || sabotage?.change !== undefined;
    this.#log ??= this.#gather({});
    const { evidence, bootId } = await (isLive ? this.#gather(sabotage) : this.#log);
    const copy = isLive ? evidence.copy : (sabotage?.log?.(evidence.copy) ?? evidence.copy);
    const { observed, see } = observing();
    check.look({ ...evidence, copy }, see);
    return { observed, bootId, files: [] };
  }

  async #seeExport(check: LogCheck, log: LogCopy, sabotage: Sabotage | undefined): Promise<Seen> {
    const { observed, see } = observing();
    check.look({ copy: sabotage?.log?.(log) ?? log, transferId: '', secrets: {} }, see);
    return { observed, bootId: log.origin.slice(-32), files: [] };
  }

  async #seeFiles(check: BuildCheck, sabotage: string | null): Promise<Seen> {
    const tree = readBuildTree(this.#options.project);
    const { observed, see } = observing();
    check.look(sabotage === null ? tree : check.sabotages[sabotage]!(tree), see);
    return { observed, bootId: '', files: digestsOf(tree) };
  }

  async #seeImage(check: ImageCheck, sabotage: string | null): Promise<Seen> {
    const { image } = this.#options;
    if (!image) throw new Problem('tool-missing', 'there is no image to look at (--image FILE)');
    const { observed, see } = observing();
    check.look(sabotage === null ? image : check.sabotages[sabotage]!(image), see);
    return { observed, bootId: '', files: [{ path: 'the image', sha256: image.sha256, bytes: image.bytes }] };
  }

  async #gather(sabotage: Sabotage) {
    const scene = this.#scene(sabotage);
    try {
      return { evidence: await gatherLog(scene), bootId: await scene.bootId() };
    } finally {
      await scene.close();
    }
  }

  #scene(sabotage: Sabotage): Scene {
    const { engine, project, template, written } = this.#options;
    const options: SceneOptions = { engine, project, template, sabotage, ...(written ? { written } : {}) };
    return new Scene(options);
  }

  /** Waits for a free scene; checks of the log need none. */
  async #inTurn<T>(check: Check, act: () => Promise<T>): Promise<T> {
    if (check.layer === 'log') return act();
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      return await act();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

function observing(): { readonly observed: Observation[]; readonly see: See } {
  const observed: Observation[] = [];
  const see: See = (name, value, limit, rule = 'is', unit = '') =>
    void observed.push({ name, value, rule, limit, unit });
  return { observed, see };
}
