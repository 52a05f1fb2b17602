/** The pin of the relay's log key, without which nothing of an export can be verified. */
import { Problem } from '../../protocol/problem.ts';
import { check } from '../../protocol/shape.ts';
import { pinText } from '../../protocol/shapes.ts';
import type { Arguments, OptionSpec } from '../lib/command.ts';
import { configFolder } from '../lib/paths.ts';
import { readProfile } from '../lib/profile.ts';

export const PIN_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'log-key': { type: 'string', value: 'PIN', help: "pin of the relay's log key (default: that of the relay profile)" },
  relay: { type: 'string', value: 'PROFILE', help: 'relay profile of the configuration (default: iot)' },
  'auditor-key': {
    type: 'string',
    value: 'FILE',
    help: 'key that a sealed export is sealed to, as "auditor-key" made it',
  },
  'config-dir': { type: 'string', value: 'DIR', help: 'configuration (default: ~/.config/ghostpipe)' },
};

/** The pin that was given, or that of the profile; refuses `usage` when there is neither, and says where to get it. */
export function logPinOption(args: Arguments): string {
  const given = args.text('log-key');
  if (given !== undefined) {
    try {
      return check(pinText, given);
    } catch {
      throw new Problem('usage', '--log-key must be sha256/ and 43 base64url characters');
    }
  }
  try {
    return readProfile(args.text('config-dir') ?? configFolder(), args.text('relay') ?? 'iot').logPin;
  } catch (thrown) {
    if (!(thrown instanceof Problem) || thrown.code !== 'profile-missing') throw thrown;
    const where = 'the operator reads it with "ghostpipe-provision list", and it is logPin of each relay profile';
    throw new Problem('usage', `no pin of the relay's log key: give --log-key or --relay; ${where}`);
  }
}
