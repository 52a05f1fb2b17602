/** How exposed each service of an unpacked root is, and what of it policy/image/exposure.yaml does not explain. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Tools } from '../../../image-build/tools.ts';
import { check, list, type Of, object, type Shape, text } from '../../../protocol/shape.ts';

const POLICY = join(import.meta.dirname, '..', '..', '..', 'policy', 'image', 'exposure.yaml');

const level: Shape<number> = (value, path) => {
  if (typeof value !== 'number' || !(value >= 0 && value <= 10)) throw new Error(`${path} is no level from 0 to 10`);
  return value;
};
const policy = object({
  services: list(
    object({
      name: text('the name of a service', 9, 80, /^[\w@-]+\.service$/),
      most: level,
      reason: text('a reason', 20, 300),
    }),
    1,
    100,
    ({ name }) => name,
  ),
});
export type ExposurePolicy = Of<typeof policy>;

/** Name of a service, and how exposed it is: 0 is best, 10 worst. */
export type Exposures = ReadonlyMap<string, number>;

export function readExposurePolicy(path = POLICY): ExposurePolicy {
  return check(policy, parse(readFileSync(path, 'utf8')));
}

/** Every service in the root, as the systemd of the tools rates it without starting anything. */
export function exposuresOf(tools: Tools, root: string): Exposures {
  const names = readdirSync(join(root, 'usr/lib/systemd/system')).filter((name) => name.endsWith('.service'));
  // A template is rated as one of its instances.
  const asked = names.map((name) => name.replace('@.', '@x.'));
  const words = ['security', '--offline=yes', `--root=${root}`, '--no-pager', ...asked];
  const printed = tools.run('usr/bin/systemd-analyze', words, { env: { SYSTEMD_COLORS: '0', LC_ALL: 'C.UTF-8' } });
  const rated = [...printed.matchAll(/Overall exposure level for (\S+): (\d+\.\d)/g)];
  return new Map(rated.map(([, name, rating]) => [name!.replace('@x.', '@.'), Number(rating)]));
}

/** One sentence for each service above its limit or without one, and for each limit without a service. */
export function unexplainedExposures({ services }: ExposurePolicy, exposures: Exposures): string[] {
  const limits = new Map(services.map(({ name, most }) => [name, most]));
  return [
    ...[...exposures].flatMap(([name, rating]) => {
      const most = limits.get(name);
      if (most === undefined) return [`${name} is at ${rating}, and has no limit`];
      return rating <= most ? [] : [`${name} is at ${rating}, its limit is ${most}`];
    }),
    ...services.filter(({ name }) => !exposures.has(name)).map(({ name }) => `${name} has a limit and is not there`),
  ];
}
