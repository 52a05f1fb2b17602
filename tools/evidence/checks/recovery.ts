/** Checks of a site that was lost and put back from its backup. */
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunCheck } from '../check.ts';
import { carry } from '../scene/carrying.ts';

export const RECOVERY_CHECKS: readonly RunCheck[] = [
  {
    id: 'site-backup',
    layer: 'run',
    async look(scene, see) {
      const [site, file] = [join(scene.folder, 'site'), join(scene.folder, 'site.backup')];
      see('a backup', (await scene.run(['provision', 'backup', file, '--dir', site])).code, 0);
      see('its mode', (statSync(file).mode & 0o777).toString(8), '600');
      const before = filesBelow(site);
      renameSync(site, `${site}-lost`);
      const changed = join(scene.folder, 'changed.backup');
      const text = readFileSync(file, 'utf8');
      writeFileSync(changed, text.replace(/"madeMs":\d/, '"madeMs":9'), { mode: 0o600 });
      const refused = await scene.run(['provision', 'restore', changed, '--dir', site]);
      see('a backup that was changed', refused.code === 0 ? 'taken' : 'refused', 'refused');
      if (refused.code === 0) renameSync(site, `${site}-wrong`);
      see('a restore', (await scene.run(['provision', 'restore', file, '--dir', site])).code, 0);
      const after = filesBelow(site);
      see('files', after.size, before.size);
      const other = [...before].filter(([path, content]) => after.get(path) !== content);
      see('files that are not as before', other.length, 0);
      const { relayPins } = JSON.parse(readFileSync(join(site, 'site.json'), 'utf8')) as { relayPins: string[] };
      see('key of the relay that starts from it', (await scene.relay()).pin, relayPins[0] ?? 'none');
      see('a reading that it carries', (await carry(scene)).plain.length, 256);
    },
    sabotages: {
      unsigned: {
        mutations: [
          { file: 'protocol/signed.ts', find: 'if (!engine.verify(', replace: 'if (1 > 2 && !engine.verify(' },
        ],
      },
      incomplete: {
        mutations: [
          {
            file: 'tools/provision/site-backup.ts',
            find: 'return below.sort();',
            replace: "return below.filter((path) => !path.startsWith('grants/')).sort();",
          },
        ],
      },
    },
  },
];

/** Content of each file below a folder, in hex, by its path. */
function filesBelow(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path, readFileSync(path).toString('hex')];
    }),
  );
}
