/** What each kind of policy file may hold. A verdict stands in none of them: verdicts are computed. */
import { integer, list, type Of, object, oneOf, text } from '../../../protocol/shape.ts';

export const LAYERS = ['build', 'run', 'log'] as const;

/** `design` and `config`: met by the product; `partial`: under conditions; `gap`: not met yet, with a plan. */
export const CLAIM_KINDS = ['design', 'config', 'partial', 'inherited', 'not-applicable', 'gap'] as const;

export const FOUNDATIONS = ['FR1', 'FR2', 'FR3', 'FR4', 'FR5', 'FR6', 'FR7'] as const;
export type Foundation = (typeof FOUNDATIONS)[number];

const sentence = text('a sentence', 10, 500);
const words = text('some words', 1, 200);
const srId = text('an SR as "SR 1.1"', 6, 7, /^SR \d\.\d{1,2}$/);
const itemId = text('an SR or RE as "SR 1.1 RE(1)"', 6, 13, /^SR \d\.\d{1,2}( RE\(\d\))?$/);
const componentId = text('a CR or NDR as "CR 1.1 RE(1)"', 6, 15, /^(CR|NDR) \d\.\d{1,2}( RE\(\d\))?$/);
const name = text('a name in lower case', 2, 40, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
const bound = text('twelve hexadecimal digits, written by ghostpipe-evidence bind', 12, 12, /^[0-9a-f]{12}$/);
const day = text('a day as 2027-01-31', 10, 10, /^\d{4}-\d{2}-\d{2}$/);
const level = integer(1, 4);
const names = list(name, 1, 32, String);
const items = list(itemId, 1, 100, String);

const requirement = object({ id: itemId, fr: oneOf(FOUNDATIONS), level, topic: words });
/** One SR or RE of IEC 62443-3-3; `level` is the lowest SL that asks for it. */
export type Requirement = Of<typeof requirement>;
export const catalogue = object({ items: list(requirement, 1, 200, ({ id }) => id) });

const component = object({ id: componentId, level }, { sr: srId, topic: words });
export type Component = Of<typeof component>;
export const componentCatalogue = object({ items: list(component, 1, 200, ({ id }) => id) });

const control = object({ id: name, does: sentence, see: list(words, 1, 8, String), serves: items });
/** One thing that the product does. */
export type Control = Of<typeof control>;
export const controlFile = object({ controls: list(control, 1, 64, ({ id }) => id) });

const checkEntry = object(
  {
    id: name,
    layer: oneOf(LAYERS),
    shows: sentence,
    /** How old evidence by it may be. */
    freshHours: integer(1, 8784),
    weakness: sentence,
    sabotages: list(object({ id: name, what: sentence }), 1, 8, ({ id }) => id),
  },
  { proves: oneOf(['absence']) },
);
/** What one check shows, and what it must catch. */
export type CheckEntry = Of<typeof checkEntry>;
export const checkFile = object({ checks: list(checkEntry, 1, 64, ({ id }) => id) });

const claim = object(
  {
    item: itemId,
    /** Hash of the requirement as it was when somebody bound the claim to it. */
    bound,
    kind: oneOf(CLAIM_KINDS),
    how: sentence,
  },
  {
    controls: names,
    checks: list(object({ id: name, bound }), 1, 16, ({ id }) => id),
    conditions: list(sentence, 1, 8, String),
    inherited: object({ party: words, shows: sentence, until: day }),
    gap: object({ missing: sentence, plan: sentence, owner: words }),
  },
);
/** How the product stands to one item. */
export type Claim = Of<typeof claim>;
export const claimFile = object({ sr: srId, claims: list(claim, 1, 8, ({ item }) => item) });

export const profileFile = object({ id: name, level });
/** What a run aims at: every item up to `level`. */
export type Profile = Of<typeof profileFile>;

const zone = object({ id: name, purdue: words, holds: sentence });
const flow = object({ from: name, to: name, carries: sentence });
const targets = object({ FR1: level, FR2: level, FR3: level, FR4: level, FR5: level, FR6: level, FR7: level });
export const systemFile = object({
  name: words,
  scope: sentence,
  outOfScope: list(sentence, 1, 16, String),
  zones: list(zone, 1, 16, ({ id }) => id),
  flows: list(flow, 1, 32),
  /** SL-T of each foundational requirement. */
  targets,
});
/** What a report is about. */
export type System = Of<typeof systemFile>;

const row = object({ id: words, topic: words, items: list(itemId, 0, 16, String) }, { note: sentence });
/** One line of another list, and the items that answer to it. */
export type MappingRow = Of<typeof row>;
export const mappingFile = object({ rows: list(row, 1, 64, ({ id }) => id) });
