/** The policy as a whole: every file of policy/iec62443 read, and found by id. */
import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalBytes } from '../../../protocol/canonical.ts';
import { Problem } from '../../../protocol/problem.ts';
import { readFileBounded } from '../../lib/files.ts';
import { type Finding, PolicyFile } from './policy-file.ts';
import { readSchemas, type SchemaCheck } from './schemas.ts';
import type { CheckEntry, Claim, Component, Control, MappingRow, Profile, Requirement, System } from './shapes.ts';

/** Where the policy stands in the project. */
export const POLICY_FOLDER = 'policy/iec62443';

/** Far above any file of the policy. */
const LIMIT = 65_536;

let schemas: ReadonlyMap<string, SchemaCheck> | undefined;

interface ClaimFile {
  readonly sr: string;
  readonly claims: readonly Claim[];
}

/** Something that a file says, and where it stands in it. */
export interface Located<T> {
  readonly value: T;
  readonly file: PolicyFile;
  /** As `claims[0]`. */
  readonly place: string;
}

export interface Policy {
  /** Findings of files that could not be read; then the rest is not whole. */
  readonly faults: readonly Finding[];
  /** SHA-256 of all files with their names, in hex. */
  readonly hash: string;
  readonly requirements: readonly Located<Requirement>[];
  readonly components: readonly Located<Component>[];
  readonly controls: readonly Located<Control>[];
  readonly checks: readonly Located<CheckEntry>[];
  readonly claims: readonly Located<Claim>[];
  /** The SR that each file of claims says it is about. */
  readonly claimFiles: readonly Located<string>[];
  readonly profiles: readonly Located<Profile>[];
  /** Rows by the name of their mapping. */
  readonly mappings: ReadonlyMap<string, readonly Located<MappingRow>[]>;
  readonly system: System | undefined;
}

/** The first twelve hexadecimal digits of the hash of an entry: what a claim is bound to. */
export function entryHash(entry: Requirement | CheckEntry): string {
  return createHash('sha256').update(canonicalBytes(entry)).digest('hex').slice(0, 12);
}

/** Texts of the policy of a project by their paths from its folder; refuses `file-invalid`, and `config-missing`. */
export function readPolicyTexts(project: string): Map<string, string> {
  const paths = globSync(`${POLICY_FOLDER}/**/*.yaml`, { cwd: project }).sort();
  if (paths.length === 0) throw new Problem('config-missing', `${join(project, POLICY_FOLDER)} holds no policy`);
  return new Map(
    paths.map((path) => [path, Buffer.from(readFileBounded(join(project, path), LIMIT) ?? []).toString('utf8')]),
  );
}

/** Reads the policy of these texts. Nothing is refused: what is wrong stands in `faults`. */
export function parsePolicy(texts: ReadonlyMap<string, string>): Policy {
  const files = [...texts].map(([path, text]) => new PolicyFile(path, text));
  const below = (folder: string): PolicyFile[] =>
    files.filter(({ path }) => path.startsWith(`${POLICY_FOLDER}/${folder}`));
  const claims = documents<ClaimFile>(below('claims/'), schemaOf('claims'));
  const policy = {
    requirements: entries<Requirement>(below('catalog/3-3.yaml'), 'catalog-3-3', 'items'),
    components: entries<Component>(below('catalog/4-2.yaml'), 'catalog-4-2', 'items'),
    controls: entries<Control>(below('controls/'), 'controls', 'controls'),
    checks: entries<CheckEntry>(below('checks/'), 'checks', 'checks'),
    claims: claims.flatMap(({ file, value }) => located(file, 'claims', value.claims)),
    claimFiles: claims.map(({ file, value }) => ({ file, value: value.sr, place: 'sr' })),
    profiles: documents<Profile>(below('profiles/'), schemaOf('profiles')),
    mappings: new Map(
      below('mappings/').map((file) => [nameOf(file.path), entries<MappingRow>([file], 'mappings', 'rows')] as const),
    ),
    system: documents<System>(below('system/'), schemaOf('system'))[0]?.value,
  };
  return { ...policy, faults: files.flatMap(({ faults }) => faults), hash: hashOf(texts) };
}

function nameOf(path: string): string {
  return path
    .split('/')
    .at(-1)!
    .replace(/\.yaml$/, '');
}

function hashOf(texts: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  for (const [path, text] of texts) hash.update(`${path}\0${text.length}\0${text}`);
  return hash.digest('hex');
}

/** The schema called `name`. */
function schemaOf(name: string): SchemaCheck {
  schemas ??= readSchemas();
  const schema = schemas.get(name);
  if (!schema) throw new Problem('config-missing', `${POLICY_FOLDER}/schemas has no ${name}.schema.json`);
  return schema;
}

/** Each whole file that has the form of the schema. */
function documents<T>(files: readonly PolicyFile[], schema: SchemaCheck): Located<T>[] {
  return files.flatMap((file) => {
    const value = file.read<T>(schema);
    return value === undefined ? [] : [{ file, value, place: '' }];
  });
}

/** Each entry of the list `key` of files that have the form of the schema called `name`. */
function entries<T>(files: readonly PolicyFile[], name: string, key: string): Located<T>[] {
  return documents<Readonly<Record<string, readonly T[]>>>(files, schemaOf(name)).flatMap(({ file, value }) =>
    located(file, key, value[key]!),
  );
}

function located<T>(file: PolicyFile, key: string, values: readonly T[]): Located<T>[] {
  return values.map((value, i) => ({ file, value, place: `${key}[${i}]` }));
}
