/**
 * An appliance in three networks: its image with a site on the card, booted on a machine with a network card in each of
 * OT, IT and management, and a host in each of them. OT and management are IPv4, IT is IPv6.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { copyDrive } from '../../../image-build/qemu/drive.ts';
import { Guest } from '../../../image-build/qemu/guest.ts';
import type { MachineSpec } from '../../../image-build/qemu/machine.ts';
import { MIN_BLOCK_BYTES } from '../../../protocol/block.ts';
import { nativeEngine as engine } from '../../../protocol/engine/native.ts';
import { ZONES, type Zone } from '../../../protocol/shapes.ts';
import { enrolDevice } from '../../../tools/provision/device.ts';
import { createSite } from '../../../tools/provision/new-site.ts';
import { lastJson, type Running, startTool } from '../../fixtures/clients.ts';
import { type Host, Networks, whyNoNamespaces } from '../../fixtures/network-namespaces.ts';
import { whyNoScans } from '../../fixtures/port-scan.ts';
import type { Ending } from '../../fixtures/relay-process.ts';

const PROVISION = join(import.meta.dirname, '..', '..', '..', 'bin', 'ghostpipe-provision');
/** An emulated relay needs its time for each block. */
const INTERVAL_MS = 4000;
const MEMORY_MIB = 1024;

/** The relay's address in each zone and its prefix, and the host's of both families. */
export const PLACES: Readonly<
  Record<Zone, { readonly relay: string; readonly prefix: number; readonly hosts: readonly string[] }>
> = {
  ot: { relay: '10.85.1.1', prefix: 24, hosts: ['10.85.1.2/24', 'fd85:1::2/64'] },
  it: { relay: 'fd85:2::1', prefix: 64, hosts: ['fd85:2::2/64', '10.85.2.2/24'] },
  management: { relay: '10.85.3.1', prefix: 24, hosts: ['10.85.3.2/24', 'fd85:3::2/64'] },
};

/** The address of the relay's network card in each zone. */
const MACS: Readonly<Record<Zone, string>> = {
  ot: '52:54:00:85:00:01',
  it: '52:54:00:85:00:02',
  management: '52:54:00:85:00:03',
};

export interface Provisioned {
  /** The copy of the image. */
  readonly drive: string;
  /** The hash of the configuration that the boot statement has too, in hexadecimal. */
  readonly configHash: string;
}

/** Makes a site below `directory`, enrols a sender and a receiver, and writes the site into a copy of `image`. */
export function provision(image: string, directory: string): Provisioned {
  const folder = join(directory, 'site');
  const url = ({ relay }: { relay: string }): string => `https://${relay.includes(':') ? `[${relay}]` : relay}:3000`;
  const site = createSite(engine, folder, {
    name: 'plant-1',
    urls: { ot: url(PLACES.ot), it: url(PLACES.it), management: url(PLACES.management) },
    blockSize: MIN_BLOCK_BYTES,
    intervalMs: INTERVAL_MS,
    slots: 64,
  });
  const devices = [
    { name: 'historian', roles: ['receive'], zone: 'it', to: [], groups: [] },
    { name: 'plc', roles: ['send'], zone: 'ot', to: ['historian'], groups: [] },
  ] as const;
  for (const device of devices) {
    enrolDevice(engine, site, device, { folder: join(directory, device.name), profile: 'iot' });
  }
  const interfaces = ZONES.map((zone) => {
    const { relay, prefix } = PLACES[zone];
    return { zones: [zone], mac: MACS[zone], address: `${relay}/${prefix}` };
  });
  const config = join(directory, 'appliance.yaml');
  writeFileSync(config, stringify({ board: 'vm', interfaces }));
  const drive = join(directory, 'drive.img');
  copyDrive(image, drive);
  const words = ['image', drive, '--config', config, '--dir', folder, '--json'];
  const { hash } = lastJson(execFileSync(PROVISION, words, { encoding: 'utf8' })) as { hash: string };
  return { drive, configHash: Buffer.from(hash, 'base64url').toString('hex') };
}

/** Throws where there is no root, or a program is missing: such a test must not pass by being left out. */
export function needPlant(): void {
  const why = whyNoNamespaces() || whyNoScans();
  if (why) throw new Error(why);
}

export class AppliancePlant {
  readonly hosts: Readonly<Record<Zone, Host>>;
  readonly #machine: Host;
  readonly #ending: Ending;
  readonly #directory: string;

  /** Makes the networks; `directory` is where `provision` has put the devices. */
  constructor(ending: Ending, directory: string) {
    this.#ending = ending;
    this.#directory = directory;
    const networks = new Networks(ending);
    this.#machine = networks.host('machine');
    const hostIn = (zone: Zone): Host => {
      const host = networks.host(zone);
      networks.wire(zone, { host, addresses: PLACES[zone].hosts }, { host: this.#machine, addresses: [] });
      // The relay's addresses in the other zones are asked for here too, at its network card: it might answer for them.
      host.run('ip', 'route', 'add', '10.85.0.0/16', 'dev', zone);
      host.run('ip', '-6', 'route', 'add', 'fd85::/16', 'dev', zone);
      for (const other of ZONES.filter((each) => each !== zone)) {
        host.run('ip', 'neigh', 'add', PLACES[other].relay, 'lladdr', MACS[zone], 'dev', zone, 'nud', 'permanent');
      }
      plugIn(this.#machine, zone);
      return host;
    };
    this.hosts = { ot: hostIn('ot'), it: hostIn('it'), management: hostIn('management') };
  }

  /** Switches the machine on; it ends with the test. */
  start(accelerator: MachineSpec['accelerator'], drive: string, limitMs: number): Guest {
    const cards = ZONES.map((zone) => ({ tap: tapOf(zone), mac: MACS[zone] }));
    const memory = { memoryMiB: MEMORY_MIB, memoryFile: this.memoryFile };
    const spec = { accelerator, drive: { path: drive, writable: true }, cards, ...memory };
    const guest = new Guest(spec, { through: this.#machine.through, limitMs });
    this.#ending.teardown(() => guest.end());
    return guest;
  }

  /** The guest's memory, as it is at the moment. */
  get memoryFile(): string {
    return join(this.#directory, 'memory');
  }

  sender(): Running {
    return startTool(this.#ending, 'sender', [...this.#device('plc'), '--stdin'], { through: this.hosts.ot.through });
  }

  receiver(): Running {
    return startTool(this.#ending, 'receiver', this.#device('historian'), { through: this.hosts.it.through });
  }

  #device(name: string): string[] {
    const state = join(this.#directory, 'state', name);
    return ['--device-id', name, '--json', '--config-dir', join(this.#directory, name), '--state-dir', state];
  }
}

function tapOf(zone: Zone): string {
  return `tap-${zone}`;
}

/** Joins the wire of a zone, which ends on the machine's host, with a tap for a card of the guest. */
function plugIn(machine: Host, zone: Zone): void {
  const bridge = `br-${zone}`;
  machine.run('ip', 'tuntap', 'add', tapOf(zone), 'mode', 'tap');
  machine.run('ip', 'link', 'add', bridge, 'type', 'bridge');
  for (const port of [zone, tapOf(zone)]) machine.run('ip', 'link', 'set', port, 'master', bridge, 'up');
  machine.run('ip', 'link', 'set', bridge, 'up');
}
