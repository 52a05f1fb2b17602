/** `--from` and `--to`: the period that somebody asks about. */
import { Problem } from '../../protocol/problem.ts';
import type { Arguments, OptionSpec } from '../lib/command.ts';
import type { Period } from './activity-report.ts';

export const PERIOD_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  from: {
    type: 'string',
    value: 'TIME',
    help: 'UTC, as 2026-11-01 or 2026-11-01T06:00:00Z (default: the beginning)',
  },
  to: { type: 'string', value: 'TIME', help: 'first moment that is no longer of the period (default: the end)' },
};

/** The period, without the ends that were not given; refuses `usage`. */
export function periodOption(args: Arguments): Partial<Period> {
  const [fromMs, belowMs] = [timeOption(args, 'from'), timeOption(args, 'to')];
  if (fromMs !== undefined && belowMs !== undefined && fromMs >= belowMs) {
    throw new Problem('usage', `--from ${args.text('from')} is not before --to ${args.text('to')}`);
  }
  return { ...(fromMs === undefined ? {} : { fromMs }), ...(belowMs === undefined ? {} : { belowMs }) };
}

/** A day or a moment in UTC, in milliseconds. */
function timeOption(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new Problem('usage', `--${name} must be as 2026-11-01 or 2026-11-01T06:00:00Z, not "${text}"`);
  return ms;
}
