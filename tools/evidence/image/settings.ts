/** The settings of an image as programs of the device will read them: units, kernel parameters, mounts, firewall. */
import { type ImageView, textsOf } from './image-view.ts';

/** Values of a unit by `Section.Key`, those of its drop-ins behind its own. */
export type Unit = ReadonlyMap<string, readonly string[]>;

/** The unit called `name` with its drop-ins; undefined when there is none. */
export function unitOf(image: ImageView, name: string): Unit | undefined {
  const places = ['etc/systemd/system', 'usr/lib/systemd/system'];
  const own = places.map((place) => image.root.get(`${place}/${name}`)?.text).find((text) => text !== undefined);
  if (own === undefined) return undefined;
  const dropIns = textsOf(image, new RegExp(`^(etc|usr/lib)/systemd/system/${RegExp.escape(name)}\\.d/[^/]+\\.conf$`));
  const values = new Map<string, string[]>();
  for (const text of [own, ...dropIns.map(([, text]) => text)]) {
    let section = '';
    for (const line of text.split('\n').map((each) => each.trim())) {
      section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section;
      const [, key, value] = /^(\w+)\s*=\s*(.*)$/.exec(line) ?? [];
      if (key === undefined) continue;
      const place = `${section}.${key}`;
      values.set(place, [...(values.get(place) ?? []), value!]);
    }
  }
  return values;
}

/** Kernel parameters by their names with dots; what is read later counts. */
export function sysctlOf(image: ImageView): ReadonlyMap<string, string> {
  const files = textsOf(image, /^(etc|usr\/lib)\/sysctl\.d\/[^/]+\.conf$|^etc\/sysctl\.conf$/);
  const byName = files.sort(([a], [b]) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const lines = byName.flatMap(([, text]) => text.split('\n'));
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const [, key, value] = /^\s*-?([a-z][\w./-]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      return key === undefined ? [] : [[key.replaceAll('/', '.'), value!]];
    }),
  );
}

/** What is mounted, with which options. */
export interface Mount {
  readonly where: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** The mounts of fstab and of mount units that are not masked. */
export function mountsOf(image: ImageView): Mount[] {
  const fstab = textsOf(image, /^etc\/fstab$/).flatMap(([, text]) => text.split('\n'));
  const lines = fstab
    .map((line) => line.trim().split(/\s+/))
    .filter(([what, where]) => where && !what!.startsWith('#'));
  const units = [...image.root.keys()].flatMap((path) => /\/systemd\/system\/([^/]+\.mount)$/.exec(path)?.[1] ?? []);
  return [
    ...lines.map(([, where, type = '', options = '']) => ({ where: where!, type, options: options.split(',') })),
    ...[...new Set(units)].flatMap((name) => {
      if (image.root.get(`etc/systemd/system/${name}`)?.target === '/dev/null') return [];
      const unit = unitOf(image, name);
      const value = (key: string) => unit?.get(`Mount.${key}`)?.at(-1) ?? '';
      return unit ? [{ where: value('Where'), type: value('Type'), options: value('Options').split(',') }] : [];
    }),
  ];
}

/** A base chain of an nftables ruleset. */
export interface Chain {
  readonly hook: string;
  readonly policy: string;
  /** Its rules, one a line. */
  readonly rules: readonly string[];
}

/** The base chains of the rulesets that stand on the root. */
export function chainsOf(image: ImageView): Chain[] {
  return textsOf(image, /\.nft$|^etc\/nftables\.conf$/).flatMap(([, text]) =>
    text
      .replace(/#.*$/gm, '')
      .split(/\bchain\s+\w+\s*\{/)
      .slice(1)
      .flatMap((part) => {
        const body = part.slice(0, endOf(part));
        const [head, hook] = /type\s+\w+\s+hook\s+(\w+)[^;]*;/.exec(body) ?? [];
        if (hook === undefined) return [];
        const policy = /policy\s+(\w+)\s*;/.exec(body)?.[1] ?? 'accept';
        const rules = body
          .replace(head!, '')
          .replace(/policy\s+\w+\s*;/, '')
          .split(/[\n;]/)
          .map((rule) => rule.trim())
          .filter((rule) => rule !== '');
        return [{ hook, policy, rules }];
      }),
  );
}

/** Where the brace closes that was opened before the text. */
function endOf(text: string): number {
  let depth = 1;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '{') depth += 1;
    if (text[at] === '}') depth -= 1;
    if (depth === 0) return at;
  }
  return text.length;
}

function nameOf(path: string): string {
  return path.split('/').at(-1)!;
}
