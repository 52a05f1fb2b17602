/** The relay's configuration as it stands in the operator's folder of a site. */
import { join } from 'node:path';
import { parse } from 'yaml';
import { parseRelayConfig, type RelayConfig } from '../../../protocol/config.ts';
import { Problem } from '../../../protocol/problem.ts';
import { readFileBounded } from '../../lib/files.ts';
import type { SiteSettings } from '../site-folder.ts';

/** Far above any honest configuration; the time that YAML takes grows with the square of the keys. */
const LIMIT = 65_536;
/** No aliases, no keys but texts, no warnings of the library on stderr. */
const YAML = { maxAliasCount: 0, stringKeys: true, logLevel: 'error' } as const;

/**
 * Reads `relay/relay.yaml` below `folder`. Refuses `config-missing`, `config-invalid` and, when it is of another site
 * than `settings`, `site-mismatch`.
 */
export function readRelayFile(folder: string, settings: SiteSettings): RelayConfig {
  const path = join(folder, 'relay', 'relay.yaml');
  const bytes = readFileBounded(path, LIMIT);
  if (!bytes) throw new Problem('config-missing', `${path} does not exist`);
  const config = parsed(path, Buffer.from(bytes).toString('utf8'));
  const siteId = config.site?.siteId ?? 'none';
  if (siteId !== settings.siteId) {
    throw new Problem('site-mismatch', `${path} is of site ${siteId}, site.json is of ${settings.siteId}`);
  }
  return config;
}

function parsed(path: string, text: string): RelayConfig {
  try {
    return parseRelayConfig(parse(text, YAML));
  } catch (thrown) {
    const fact = thrown instanceof Problem ? thrown.detail : (thrown as Error).message.split('\n')[0];
    throw new Problem('config-invalid', `${path}: ${fact}`);
  }
}
