/** What every subcommand begins with: the folder of the project, its policy without a finding, and the profile. */
import { dirname, join } from 'node:path';
import { Problem } from '../../protocol/problem.ts';
import { IMPLEMENTED } from './checks/registry.ts';
import { lint } from './policy/lint.ts';
import { type Policy, parsePolicy, readPolicyTexts } from './policy/policy.ts';
import type { Finding } from './policy/policy-file.ts';
import type { Profile, System } from './policy/shapes.ts';

/** The folder of this project. */
export const PROJECT: string = dirname(dirname(import.meta.dirname));

export interface LintedPolicy {
  readonly policy: Policy;
  readonly findings: readonly Finding[];
}

/** Reads and lints the policy of `project`; refuses `config-missing` when there is none. */
export function lintedPolicy(project: string = PROJECT): LintedPolicy {
  const policy = parsePolicy(readPolicyTexts(project));
  return { policy, findings: lint(policy, { project, implemented: IMPLEMENTED }) };
}

/**
 * The policy, when nothing but suspect links is wrong with it: those make verdicts, not errors. Refuses `config-invalid`
 * with the first finding.
 */
export function usablePolicy(project: string = PROJECT): Policy & { readonly system: System } {
  const { policy, findings } = lintedPolicy(project);
  const fault = findings.find(({ rule }) => rule !== 'suspect');
  if (fault) throw new Problem('config-invalid', `${fault.file}:${fault.line}: ${fault.message} [${fault.rule}]`);
  return { ...policy, system: policy.system! };
}

/** The profile called `name`; refuses `usage`. */
export function profileOf({ profiles }: Policy, name: string): Profile {
  const found = profiles.find(({ value }) => value.id === name);
  const known = profiles.map(({ value }) => value.id).join(', ');
  if (!found) throw new Problem('usage', `"${name}" is no profile (there are: ${known})`);
  return found.value;
}

/** Where the evidence key of this user stands by default, in a configuration folder. */
export function defaultKeyPath(configFolder: string): string {
  return join(configFolder, 'evidence-key');
}
