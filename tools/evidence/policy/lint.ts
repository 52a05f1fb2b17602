/** The rules of the policy: each says what is wrong, and in which line. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { entryHash, type Located, type Policy } from './policy.ts';
import type { Finding } from './policy-file.ts';
import { type Claim, FOUNDATIONS, type Stance } from './shapes.ts';

/** The sabotages of each check that the program has, by its id. */
export type Implemented = ReadonlyMap<string, readonly string[]>;

export interface LintContext {
  /** Folder of the project that the policy speaks of. */
  readonly project: string;
  readonly implemented: Implemented;
}

/** How many items of IEC 62443-3-3 there are up to each level. */
const ITEMS_UP_TO = [37, 60, 90, 100];
/** The rows of the product page. */
const PAGE_ROWS = ['SR 4.1', 'SR 4.2', 'SR 3.1', 'SR 1.1', 'SR 2.8', 'SR 5.1'];
const MAPPINGS: Readonly<Record<string, number>> = { 'product-page': PAGE_ROWS.length, nis2: 10, cra: 22 };

/** Where a claim says what holds on the image. */
const IMAGE = '.image';

type Rule = (policy: Policy, context: LintContext) => Finding[];

/** Everything that is wrong with a policy; empty when nothing is. */
export function lint(policy: Policy, context: LintContext): Finding[] {
  const found = [...policy.faults, ...(policy.faults.length > 0 ? [] : RULES.flatMap((rule) => rule(policy, context)))];
  return found.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

const catalogueIsWhole: Rule = ({ requirements, claimFiles }) => {
  const { file } = requirements[0]!;
  const counts = ITEMS_UP_TO.map((_, i) => requirements.filter(({ value }) => value.level <= i + 1).length);
  const sr = new Set(requirements.map(({ value }) => srOf(value.id)));
  const wrong = counts.flatMap((count, i) =>
    count === ITEMS_UP_TO[i] ? [] : [`${count} items up to SL ${i + 1}, the standard has ${ITEMS_UP_TO[i]}`],
  );
  const orphans = requirements.filter(({ value }) => !requirements.some((each) => each.value.id === srOf(value.id)));
  return [
    ...wrong.map((message) => file.finding('catalogue', 'items', message)),
    ...orphans.map((each) => say(each, 'catalogue', 'id', `${each.value.id} enhances a requirement that is not there`)),
    ...claimFiles.flatMap((each) => (sr.has(each.value) ? [] : [say(each, 'unknown-id', '', `no ${each.value}`)])),
  ];
};

const componentsAreKnown: Rule = ({ components, requirements }) => {
  const known = idsOf(requirements);
  return components.flatMap((each) => {
    const { id, sr, topic } = each.value;
    if (sr === undefined && topic === undefined)
      return [say(each, 'unknown-id', 'id', `${id} has neither sr nor topic`)];
    return sr === undefined || known.has(sr) ? [] : [say(each, 'unknown-id', 'sr', `no ${sr} is in the catalogue`)];
  });
};

const oneClaimEach: Rule = ({ requirements, claims, claimFiles }) => {
  const missing = requirements.filter(({ value }) => !claims.some((claim) => claim.value.item === value.id));
  return [
    ...missing.map((each) => say(each, 'one-claim', 'id', `${each.value.id} has no claim`)),
    ...claims.flatMap((claim, i) => {
      const { item } = claim.value;
      if (!requirements.some(({ value }) => value.id === item)) return [say(claim, 'unknown-id', 'item', `no ${item}`)];
      if (claims.findIndex((each) => each.value.item === item) < i) {
        return [say(claim, 'one-claim', 'item', `${item} has another claim already`)];
      }
      const about = claimFiles.find(({ file }) => file === claim.file)!.value;
      return srOf(item) === about ? [] : [say(claim, 'one-claim', 'item', `${item} stands in the file of ${about}`)];
    }),
  ];
};

/** What each kind of claim must have, and may not have. */
const NEEDS: Readonly<Record<Claim['kind'], readonly (keyof Stance)[]>> = {
  design: ['controls', 'checks'],
  config: ['controls', 'checks'],
  partial: ['controls', 'checks', 'conditions'],
  inherited: ['inherited'],
  'not-applicable': ['controls', 'checks'],
  gap: ['gap'],
};

const claimsAreComplete: Rule = ({ claims }) =>
  stancesOf(claims).flatMap((claim) => {
    const { kind, item } = claim.value;
    const needed = NEEDS[kind].filter((key) => claim.value[key] === undefined);
    const foreign = (['conditions', 'inherited', 'gap'] as const).filter(
      (key) => claim.value[key] !== undefined && !NEEDS[kind].includes(key),
    );
    return [
      ...needed.map((key) => say(claim, 'incomplete', 'kind', `${item} is "${kind}" and has no ${key}`)),
      ...foreign.map((key) => say(claim, 'incomplete', key, `${item} is "${kind}" and may not have ${key}`)),
    ];
  });

const absenceIsProved: Rule = ({ claims, checks }) =>
  stancesOf(claims).flatMap((claim) => {
    const { kind, item, checks: named = [] } = claim.value;
    const proved = named.some(({ id }) => checks.find(({ value }) => value.id === id)?.value.proves === 'absence');
    if (kind !== 'not-applicable' || proved) return [];
    return [say(claim, 'absence', 'checks', `${item} is "not-applicable", and none of its checks proves absence`)];
  });

const linksLead: Rule = ({ claims, controls, checks }) => {
  const [knownControls, knownChecks] = [idsOf(controls), idsOf(checks)];
  return stancesOf(claims).flatMap((claim) => [
    ...(claim.value.controls ?? []).flatMap((id, i) =>
      knownControls.has(id) ? [] : [say(claim, 'unknown-id', `controls[${i}]`, `no control "${id}"`)],
    ),
    ...(claim.value.checks ?? []).flatMap(({ id }, i) =>
      knownChecks.has(id) ? [] : [say(claim, 'unknown-id', `checks[${i}].id`, `no check "${id}"`)],
    ),
  ]);
};

const linksAreFresh: Rule = ({ claims, requirements, checks }) => {
  const hashes = new Map([...requirements, ...checks].map(({ value }) => [value.id, entryHash(value)]));
  const stale = (id: string, bound: string) => hashes.has(id) && hashes.get(id) !== bound;
  return stancesOf(claims).flatMap((claim) => {
    const { item, bound, checks: named = [] } = claim.value;
    const suspect = (id: string) =>
      `${item} is bound to another ${id} than there is now: read both, then bind it again`;
    return [
      ...(stale(item, bound) && !claim.place.endsWith(IMAGE) ? [say(claim, 'suspect', 'bound', suspect(item))] : []),
      ...named.flatMap(({ id, bound: of }, i) =>
        stale(id, of) ? [say(claim, 'suspect', `checks[${i}].bound`, suspect(id))] : [],
      ),
    ];
  });
};

const controlsAgree: Rule = ({ controls, claims }, { project }) =>
  controls.flatMap((control) => {
    const { id, see, serves } = control.value;
    const naming = stancesOf(claims).filter(({ value }) => value.controls?.includes(id));
    const claimed = [...new Set(naming.map(({ value }) => value.item))];
    return [
      ...see.flatMap((path, i) =>
        existsSync(join(project, path)) ? [] : [say(control, 'missing-file', `see[${i}]`, `${path} does not exist`)],
      ),
      ...serves.flatMap((item, i) =>
        claimed.includes(item)
          ? []
          : [say(control, 'both-ways', `serves[${i}]`, `the claim of ${item} does not name ${id}`)],
      ),
      ...claimed.flatMap((item) =>
        serves.includes(item) ? [] : [say(control, 'both-ways', 'serves', `the claim of ${item} names ${id}`)],
      ),
    ];
  });

const checksRun: Rule = ({ checks, claims }, { implemented }) => {
  const named = new Set(stancesOf(claims).flatMap(({ value }) => (value.checks ?? []).map(({ id }) => id)));
  const file = checks[0]!.file;
  return [
    ...checks.flatMap((check) => {
      const { id, sabotages } = check.value;
      const known = implemented.get(id);
      const unused = named.has(id) ? [] : [say(check, 'unused', 'id', `no claim rests on "${id}"`)];
      if (!known) return [...unused, say(check, 'not-implemented', 'id', `the program has no check "${id}"`)];
      const foreign = sabotages.findIndex((sabotage) => !known.includes(sabotage.id));
      const lost = known.filter((sabotage) => !sabotages.some((each) => each.id === sabotage));
      return [
        ...unused,
        ...(foreign < 0
          ? []
          : [say(check, 'not-implemented', `sabotages[${foreign}].id`, `"${id}" cannot be sabotaged so`)]),
        ...lost.map((sabotage) => say(check, 'not-implemented', 'sabotages', `the sabotage "${sabotage}" has no line`)),
      ];
    }),
    ...[...implemented.keys()].flatMap((id) =>
      checks.some(({ value }) => value.id === id)
        ? []
        : [file.finding('not-implemented', 'checks', `no entry for "${id}"`)],
    ),
  ];
};

const idsAreUnique: Rule = ({ checks, controls }) =>
  [checks, controls].flatMap((all) =>
    all.flatMap((each, i) =>
      all.findIndex(({ value }) => value.id === each.value.id) < i
        ? [say(each, 'twice', 'id', `"${each.value.id}" stands twice`)]
        : [],
    ),
  );

const mappingsAreWhole: Rule = ({ mappings, requirements }) => {
  const known = idsOf(requirements);
  const file = requirements[0]!.file;
  return [
    ...Object.entries(MAPPINGS).flatMap(([name, count]) => {
      const rows = mappings.get(name) ?? [];
      return rows.length === count
        ? []
        : [(rows[0]?.file ?? file).finding('mapping', 'rows', `${name} has ${rows.length} rows, not ${count}`)];
    }),
    ...[...mappings.values()].flat().flatMap((row) => {
      const unknown = row.value.items.findIndex((item) => !known.has(item));
      const silent = row.value.items.length === 0 && row.value.note === undefined;
      return [
        ...(unknown < 0 ? [] : [say(row, 'unknown-id', `items[${unknown}]`, `no ${row.value.items[unknown]}`)]),
        ...(silent ? [say(row, 'mapping', 'items', `${row.value.id} has neither an item nor a note`)] : []),
      ];
    }),
    ...(mappings.get('product-page') ?? []).flatMap((row) => [
      ...(row.value.note === undefined ? [say(row, 'mapping', '', `the row ${row.value.id} has no note`)] : []),
      ...(PAGE_ROWS.includes(row.value.id) ? [] : [say(row, 'mapping', 'id', `the page has no row ${row.value.id}`)]),
    ]),
  ];
};

const profilesAreThere: Rule = ({ profiles, requirements, system }) => {
  const file = requirements[0]!.file;
  return [
    ...profiles.flatMap((each) =>
      each.file.path.endsWith(`/${each.value.id}.yaml`)
        ? []
        : [say(each, 'profile', 'id', `"${each.value.id}" is not the name of the file`)],
    ),
    ...['sl2', 'sl3'].flatMap((id) =>
      profiles.some(({ value }) => value.id === id) ? [] : [file.finding('profile', '', `there is no profile "${id}"`)],
    ),
    ...(system ? [] : [file.finding('profile', '', 'no file says what the report is about')]),
    ...FOUNDATIONS.flatMap((fr) =>
      requirements.some(({ value }) => value.fr === fr)
        ? []
        : [file.finding('catalogue', 'items', `${fr} has no item`)],
    ),
  ];
};

const RULES: readonly Rule[] = [
  catalogueIsWhole,
  componentsAreKnown,
  oneClaimEach,
  claimsAreComplete,
  absenceIsProved,
  linksLead,
  linksAreFresh,
  controlsAgree,
  checksRun,
  idsAreUnique,
  mappingsAreWhole,
  profilesAreThere,
];

/** What each claim says of a host, and what it says of the image. */
function stancesOf(claims: Policy['claims']): Located<Claim>[] {
  return claims.flatMap((claim) => {
    const { item, bound, image } = claim.value;
    return image ? [claim, { ...claim, value: { item, bound, ...image }, place: `${claim.place}${IMAGE}` }] : [claim];
  });
}

/** The SR that an item belongs to. */
export function srOf(item: string): string {
  return item.split(' RE')[0]!;
}

function idsOf(all: readonly Located<{ readonly id: string }>[]): ReadonlySet<string> {
  return new Set(all.map(({ value }) => value.id));
}

function say({ file, place }: Located<unknown>, rule: string, within: string, message: string): Finding {
  const whole = place === '' ? within : within === '' ? place : `${place}.${within}`;
  return file.finding(rule, whole, message);
}
