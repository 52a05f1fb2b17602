/** The files of the appliance's root: each says which requirement it serves, and all agree on names. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { CARD, DEVICE, UNITS as OWN_UNITS, RUN as PLACES, USERS } from '../../appliance/layout.ts';
import { UNITS as STOCK_UNITS } from '../../image-build/keep.ts';
import { RUN } from '../../image-build/runtime.ts';

const ROOTFS = join(import.meta.dirname, '..', '..', 'rootfs');
const UNIT_FOLDER = 'usr/lib/systemd/system';
const REQUIREMENT = /IEC 62443-[34]-[23].*\b(SR|CR|EDR|HDR|NDR) \d\.\d/;

/** Text of every file of the root, by its path there. */
const files = new Map(
  globSync('**', { cwd: ROOTFS, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path.slice(ROOTFS.length + 1), readFileSync(path, 'utf8')]),
);
const units = [...files].filter(([path]) => path.startsWith(UNIT_FOLDER));
const services = units.filter(([path]) => path.endsWith('.service'));

/** The values of a setting in a unit, in their order. */
function valuesOf(unit: string, name: string): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value!);
}

function unit(name: string): string {
  return files.get(`${UNIT_FOLDER}/${name}`) ?? '';
}

/** One sentence for each file whose first lines name no requirement. */
function withoutRequirement(texts: Iterable<readonly [string, string]>): string[] {
  return [...texts]
    .filter(([, text]) => {
      const comment = text.split('\n', 3).filter((line) => line.startsWith('#'));
      return !REQUIREMENT.test(comment.join(' '));
    })
    .map(([path]) => `${path} does not say which requirement it serves`);
}

t.test('every file says which requirement it serves', async (t) => {
  t.ok(files.size > 20, 'the files were found');
  t.same(withoutRequirement(files), []);
  t.equal(withoutRequirement([['a', '# a comment\n[Unit]\n']]).length, 1);
});

t.test('the units of the layout are there, are enabled, and no other', async (t) => {
  const preset = files.get('usr/lib/systemd/system-preset/00-ghostpipe.preset') ?? '';
  const enabled = [...preset.matchAll(/^enable (.*)$/gm)].map(([, name]) => name!);
  for (const name of Object.values(OWN_UNITS)) {
    t.ok(unit(name), name);
    if (valuesOf(unit(name), 'WantedBy').length > 0) t.ok(enabled.includes(name), `${name} is enabled`);
  }
  for (const name of enabled) t.ok(unit(name) || STOCK_UNITS.includes(name), `${name} is in the root`);
  t.match(preset, /^disable \*$/m);
  for (const [path, text] of units) {
    const installs = valuesOf(text, 'WantedBy').length > 0;
    t.equal(enabled.includes(basename(path)), installs, path);
  }
});

t.test('units start the software with the words of runtime.ts, and other programs of the root only', async (t) => {
  for (const [path, text] of services) {
    const lines = valuesOf(text, 'ExecStart(?:Pre)?');
    t.ok(lines.length > 0, path);
    for (const line of lines) {
      const [node, script] = RUN.split(' ') as [string, string];
      const pattern = new RegExp(
        `^(${node} (--disable-wasm-trap-handler )?${RegExp.escape(script)} |\\+?/usr/(s?bin)/(nft|systemd-tmpfiles) )`,
      );
      t.match(line, pattern, path);
    }
  }
});

t.test('every service is shut in', async (t) => {
  const always = { NoNewPrivileges: 'yes', ProtectSystem: 'strict', ProtectHome: 'yes', PrivateTmp: 'yes' };
  const also = {
    RestrictNamespaces: 'yes',
    RestrictSUIDSGID: 'yes',
    LockPersonality: 'yes',
    SystemCallArchitectures: 'native',
  };
  for (const [path, text] of services) {
    for (const [name, value] of Object.entries({ ...always, ...also }))
      t.same(valuesOf(text, name), [value], `${path}: ${name}`);
    t.equal(valuesOf(text, 'CapabilityBoundingSet').length, 1, path);
    t.ok(valuesOf(text, 'SystemCallFilter').length > 0, path);
  }
});

t.test('what is in memory cannot be run, and reaches no swap', async (t) => {
  const mounts = units.filter(([path, text]) => path.endsWith('.mount') && /^Type=tmpfs$/m.test(text));
  t.equal(mounts.length, 3);
  for (const [path, text] of mounts) {
    const options = valuesOf(text, 'Options')[0]!.split(',');
    for (const option of ['noswap', 'nosuid', 'nodev', 'noexec']) t.ok(options.includes(option), `${path}: ${option}`);
  }
  t.match(files.get('etc/systemd/journald.conf.d/50-ghostpipe.conf'), /^Storage=volatile$/m);
});

t.test('places and accounts are those of the layout', async (t) => {
  t.same(valuesOf(unit(OWN_UNITS.card), 'What'), [`/dev/disk/by-label/${CARD.label}`]);
  t.same(valuesOf(unit(OWN_UNITS.card), 'Where'), [CARD.mountPoint]);
  t.match(valuesOf(unit(OWN_UNITS.card), 'Options')[0], /^ro,nosuid,nodev,noexec,/);
  t.same(valuesOf(unit(OWN_UNITS.store), 'Where'), [DEVICE.store]);
  t.same(valuesOf(unit(OWN_UNITS.relay), 'User'), [USERS.relay]);
  t.same(valuesOf(unit(OWN_UNITS.ready), 'User'), [USERS.ready]);
  const accounts = files.get('usr/lib/sysusers.d/ghostpipe.conf') ?? '';
  const ids = new Map([...accounts.matchAll(/^g (\S+) (\d+)$/gm)].map(([, name, id]) => [name!, id!]));
  for (const name of Object.values(USERS)) t.ok(ids.has(name), name);
  const shells = [...accounts.matchAll(/^u.* (\S+)$/gm)].map(([, shell]) => shell);
  t.same([...new Set(shells)], ['/usr/sbin/nologin']);
  t.match(valuesOf(unit(OWN_UNITS.store), 'Options')[0], `uid=${ids.get(USERS.relay)},gid=${ids.get(USERS.relay)}`);
  const run = (path: string): string => `${DEVICE.run}/${path}`;
  t.same(valuesOf(unit(OWN_UNITS.firewall), 'ConditionPathExists'), [run(PLACES.firewall)]);
  t.same(valuesOf(unit(OWN_UNITS.relay), 'ConditionPathExists'), [run(PLACES.relayConfig)]);
  t.same(valuesOf(unit(OWN_UNITS.ready), 'ConditionPathExists'), [run(PLACES.configured)]);
  t.same(valuesOf(unit(OWN_UNITS.safe), 'ConditionPathExists'), [run(PLACES.safe)]);
  t.match(valuesOf(unit(OWN_UNITS.relay), 'ExecStart')[0], `--config ${run(PLACES.relayConfig)}`);
});

t.test('before the zone plan is known nothing passes', async (t) => {
  const rules = files.get('etc/nftables.conf') ?? '';
  t.equal(rules.match(/policy drop;/g)?.length, 3);
  t.same(
    [...rules.matchAll(/^ +(.*accept.*)$/gm)].map(([, rule]) => rule),
    ['iif lo accept', 'oif lo accept'],
  );
  t.match(valuesOf(unit('ghostpipe-drop.service'), 'Before')[0], /network-pre\.target systemd-networkd\.service/);
  t.same(valuesOf(unit('ghostpipe-drop.service'), 'RequiredBy'), ['systemd-networkd.service']);
});
