/**
 * A whole site that lives as long as its starter: a relay on loopback, a fresh operator, enrolled devices.
 *
 * Made by the very steps that an operator takes, in a folder of its own (mode 700) that is removed at the end:
 *
 *     site/           the operator's folder; site/relay is the relay's
 *     hosts/NAME/     configuration folder of each device, as it would be copied to its host
 *     state/          what the devices remember
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseJson } from '../../protocol/canonical.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { RelayClient } from '../lib/relay-client.ts';
import { ToolProcess } from '../lib/tool-process.ts';
import { type DeviceRequest, enrolDevice } from '../provision/device.ts';
import { createSite, type NewSite } from '../provision/new-site.ts';
import { publishRoster } from '../provision/publish.ts';
import type { SiteFolder, SiteUrls } from '../provision/site-folder.ts';

/** Port 0: the system chooses, and the relay says which. */
const ANY_PORT: SiteUrls = { ot: 'https://127.0.0.1:0', it: 'https://127.0.0.1:0', management: 'https://127.0.0.1:0' };

export interface EphemeralSiteOptions extends Omit<NewSite, 'urls'> {
  readonly devices: readonly DeviceRequest[];
  /** Script that runs as `SCRIPT relay ...`; the dispatcher when it is left out. */
  readonly relayScript?: string;
}

export interface EphemeralSite {
  readonly folder: string;
  readonly site: SiteFolder;
  readonly relay: ToolProcess;
  /** An operator's client of the relay: health and metrics. */
  readonly monitor: RelayClient;
  /** Environment of a tool that acts as the device `name`. */
  environment(name: string): { readonly GHOSTPIPE_CONFIG_DIR: string; readonly GHOSTPIPE_STATE_DIR: string };
  /** Ends the relay and removes the folder. */
  close(): Promise<void>;
}

/** Makes the site, starts its relay, enrols the devices and publishes the roster; cleans up when any of it fails. */
export async function openEphemeralSite(engine: Engine, options: EphemeralSiteOptions): Promise<EphemeralSite> {
  const folder = mkdtempSync(join(tmpdir(), 'ghostpipe-'));
  let relay: ToolProcess | undefined;
  let monitor: RelayClient | undefined;
  const close = async (): Promise<void> => {
    monitor?.close();
    await relay?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const site = createSite(engine, join(folder, 'site'), { ...options, urls: ANY_PORT });
    const ready = Promise.withResolvers<SiteUrls>();
    relay = new ToolProcess(['relay', '--config', join(site.path, 'relay', 'relay.yaml'), '--json'], {
      ...(options.relayScript ? { script: options.relayScript } : {}),
      onLine: (line) => {
        const urls = urlsOf(line);
        if (urls) ready.resolve(urls);
      },
    });
    site.setUrls(await relay.until(ready.promise, 'the relay'));
    for (const device of options.devices)
      enrolDevice(engine, site, device, { folder: hostFolder(folder, device.name), profile: 'iot' });
    await publishRoster(site);
    monitor = new RelayClient({ url: site.settings.urls.management, pins: site.settings.relayPins });
    return {
      folder,
      site,
      relay,
      monitor,
      environment: (name) => ({
        GHOSTPIPE_CONFIG_DIR: hostFolder(folder, name),
        GHOSTPIPE_STATE_DIR: join(folder, 'state'),
      }),
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function hostFolder(folder: string, name: string): string {
  return join(folder, 'hosts', name);
}

/** The addresses in the relay's ready line; undefined for any other line. */
function urlsOf(line: string): SiteUrls | undefined {
  const { listeners } = parseJson(Buffer.from(line), 65_536) as {
    listeners?: readonly { zone: keyof SiteUrls; port: number }[];
  };
  if (!listeners) return undefined;
  const url = (zone: keyof SiteUrls) =>
    `https://127.0.0.1:${listeners.find((listener) => listener.zone === zone)?.port}`;
  return { ot: url('ot'), it: url('it'), management: url('management') };
}
