/** What the subcommands have in common: which site, where a device's files go, and publishing at once. */
import { join } from 'node:path';
import type { Engine } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
import { check, type Shape } from '../../protocol/shape.ts';
import { nameText } from '../../protocol/shapes.ts';
import type { Arguments, OptionSpec } from '../lib/command.ts';
import { configFolder, deviceFolder } from '../lib/paths.ts';
import { SiteFolder } from './site-folder.ts';

type Options = Readonly<Record<string, OptionSpec>>;

export const SITE_OPTIONS: Options = {
  dir: { type: 'string', value: 'DIR', help: "the site's folder (default: site in the configuration folder)" },
};

export const PUBLISH_OPTIONS: Options = {
  publish: { type: 'boolean', help: 'give the new roster to the running relay at once' },
};

export const DEVICE_OUT_OPTIONS: Options = {
  out: { type: 'string', value: 'DIR', help: 'configuration folder to write to (default: that of this user)' },
  profile: { type: 'string', value: 'NAME', help: 'name of the relay profile there (default: iot)' },
};

/** Where a device's files go: a configuration folder and the name of the relay profile in it. */
export interface DeviceOut {
  readonly folder: string;
  readonly profile: string;
}

export function siteFolderPath(args: Arguments): string {
  return args.text('dir') ?? join(configFolder(), 'site');
}

export function openSite(engine: Engine, args: Arguments): SiteFolder {
  return new SiteFolder(engine, siteFolderPath(args));
}

export function deviceOut(args: Arguments): DeviceOut {
  return { folder: args.text('out') ?? configFolder(), profile: named(args.text('profile') ?? 'iot', '--profile') };
}

/** The name that stands as first word; refuses `usage`. */
export function nameArgument(args: Arguments): string {
  const [name] = args.positionals;
  if (name === undefined) throw new Problem('usage', 'NAME is missing');
  return named(name, 'NAME');
}

/** `value` as a name; refuses `usage`. */
export function named(value: string, what: string): string {
  return usageCheck(nameText, value, what);
}

/** Checks one word of the command line against the shape of the document field that it becomes; refuses `usage`. */
export function usageCheck<T>(shape: Shape<T>, value: unknown, what: string): T {
  try {
    return check(shape, value);
  } catch (thrown) {
    throw new Problem('usage', `${what}: ${(thrown as Problem).detail.replace(/^document /, '')}`);
  }
}

/** Sentence on how the files of a device get to it. */
export function copyAdvice(out: DeviceOut, name: string): string {
  if (out.folder === configFolder()) return `its files are in place: ${deviceFolder(out.folder, name)}`;
  return `copy ${out.folder} to ~/.config/ghostpipe on that device, keeping modes (as cp -a or tar do)`;
}
