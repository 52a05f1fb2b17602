/** `ghostpipe-evidence lint` and `bind`: the rules of the policy, and the links that a person has read again. */

import { Problem } from '../../protocol/problem.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { lintedPolicy, PROJECT } from './context.ts';
import { bindClaims } from './policy/bind.ts';
import { parsePolicy, readPolicyTexts } from './policy/policy.ts';

const LINT: CommandSpec = {
  name: 'ghostpipe-evidence lint',
  summary: 'hold the policy of IEC 62443 against its rules',
  usage: '[--json]',
  options: {},
  examples: ['ghostpipe-evidence lint'],
};

/** Exit code 0 when no rule is broken, 1 when one is. */
export function lintCommand(argv: readonly string[]): Promise<number> {
  return runCommand(LINT, argv, async (args) => {
    const { policy, findings } = lintedPolicy();
    if (args.flag('json')) printJson({ ok: findings.length === 0, findings });
    else {
      for (const { file, line, rule, message } of findings)
        process.stdout.write(`${file}:${line}: ${message} [${rule}]\n`);
      const { requirements, claims, checks } = policy;
      process.stdout.write(
        `${requirements.length} items, ${claims.length} claims, ${checks.length} checks: ${findings.length} findings\n`,
      );
    }
    return findings.length === 0 ? EXIT.ok : EXIT.failed;
  });
}

const BIND: CommandSpec = {
  name: 'ghostpipe-evidence bind',
  summary: 'bind claims to their requirement and checks as they are now, after you have read them',
  usage: 'ITEM... | --all',
  options: { all: { type: 'boolean', help: 'every claim' } },
  examples: ['ghostpipe-evidence bind "SR 1.2" "SR 1.2 RE(1)"'],
  maxPositionals: 100,
};

/** Exit code 0; refuses `usage` without an item. */
export function bindCommand(argv: readonly string[]): Promise<number> {
  return runCommand(BIND, argv, async (args) => {
    const all = args.flag('all');
    if (all === args.positionals.length > 0) throw new Problem('usage', 'name items, or give --all');
    const policy = parsePolicy(readPolicyTexts(PROJECT));
    const changed = bindClaims(PROJECT, policy, all ? 'all' : args.positionals);
    if (args.flag('json')) printJson({ ok: true, changed });
    else process.stdout.write(`${changed} links bound anew\n`);
    return EXIT.ok;
  });
}
