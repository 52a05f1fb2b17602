/** `npm run image:lock`: asks the mirror for the newest packages, fetches them, and writes the locks anew. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Problem } from '../protocol/problem.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../tools/lib/command.ts';
import { writeFileAtomic } from '../tools/lib/files.ts';
import { type Apt, debsIn, type NamedVersion } from './apt.ts';
import { ARCHITECTURES, type Architecture, formatLock, type LockedPackage, type LockName, lockFile } from './lock.ts';
import { hashOf, keep, withApt } from './packages.ts';
import { APART, APART_PACKAGES, ROOT_PACKAGES } from './root-packages.ts';
import { run } from './run.ts';
import { hostArchitecture, TOOL_PACKAGES } from './tools.ts';

const COMMAND: CommandSpec = {
  name: 'npm run image:lock --',
  summary: 'takes the newest Debian 13 packages into the locks of the image build',
  usage: '[options]',
  options: { mirror: { type: 'string', value: 'URL', help: "the archive to ask (default: that of this host's apt)" } },
  examples: ['npm run image:lock', 'npm run image:lock -- --mirror http://mirror.example/debian'],
};

process.exitCode = await runCommand(COMMAND, process.argv.slice(2), async (args) => {
  const mirror = args.text('mirror');
  const host = hostArchitecture();
  const locks: Record<string, number> = {};
  const write = (name: LockName, packages: readonly LockedPackage[]): void => {
    const file = lockFile(name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileAtomic(file, formatLock(packages), 0o644);
    locks[name] = packages.length;
    if (!args.flag('json')) process.stdout.write(`${name}: ${packages.length} packages\n`);
  };
  write(
    `tools-${host}`,
    withApt(host, mirror, (apt) => locked(apt, apt.closureOf(TOOL_PACKAGES))),
  );
  for (const arch of ARCHITECTURES) {
    write(
      `root-${arch}`,
      withApt(arch, mirror, (apt) => locked(apt, rootPackages(apt, arch))),
    );
  }
  if (args.flag('json')) printJson({ ok: true, locks });
  return EXIT.ok;
});

/** The closure of the root's packages, and those that are taken apart. */
function rootPackages(apt: Apt, arch: Architecture): NamedVersion[] {
  const closure = apt.closureOf(ROOT_PACKAGES);
  const more = apt.closureOf(APART_PACKAGES[arch]);
  const apart = APART[arch].map((pattern) => {
    const found = more.find(({ name }) => pattern.test(name));
    if (!found) throw new Problem('image-package-missing', `the mirror has no package ${pattern.source} for ${arch}`);
    return found;
  });
  return [...closure, ...apart];
}

/** Fetches `packages` into the cache and gives them with the hash of their bytes, which apt has checked. */
function locked(apt: Apt, packages: readonly NamedVersion[]): LockedPackage[] {
  const folder = apt.download(packages);
  const found = [...debsIn(folder).keys()].map((file): LockedPackage => {
    const fields = run(['dpkg-deb', '--field', file, 'Package', 'Version', 'Architecture']);
    const [name, version, arch] = ['Package', 'Version', 'Architecture'].map(
      (field) => new RegExp(`^${field}: (.*)$`, 'm').exec(fields)![1]!,
    ) as [string, string, string];
    return { name, version, arch, sha256: hashOf(file) };
  });
  keep(folder, found);
  return found;
}
