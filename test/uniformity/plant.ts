/**
 * A plant for the proof: four devices on hosts of their own, each on a wire of its own to the relay, with packets of at
 * most 1500 bytes.
 *
 *     plc (OT, sends)    ---+          +---  historian (IT, receives)     plc -> historian: readings, alarms, files
 *     valve (OT, receives) -+  relay  -+---  planner (IT, sends)          planner -> valve: firmware
 *
 * The second direction is closed unless configured; here it is open.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import type { Role, Zone } from '../../protocol/shapes.ts';
import { readEnrolment } from '../../tools/lib/device.ts';
import { deviceFolder } from '../../tools/lib/paths.ts';
import { monotonicClock } from '../../tools/lib/slot-clock.ts';
import { addProfile, enrol, lastJson, type Running, startScript, startTool } from '../fixtures/clients.ts';
import { type Host, Networks, type Wire } from '../fixtures/network-namespaces.ts';
import { type Ending, type Place, spawnRelay, writeRelayConfig } from '../fixtures/relay-process.ts';
import { makeSite, type Site, ZONE_LISTENERS } from '../fixtures/site.ts';
import type { Head } from './invariants.ts';

export const BLOCK_BYTES = 131_072;
/** Leaves that each head of the audit log has more than the one before: more than a head's time of records. */
const LOG_QUANTUM = 4096;
const PORT = 3000;
const MANAGEMENT_PORT = 3001;

const DEVICES = [
  { name: 'plc', roles: ['send'], zone: 'ot' },
  { name: 'valve', roles: ['receive'], zone: 'ot' },
  { name: 'historian', roles: ['receive'], zone: 'it' },
  { name: 'planner', roles: ['send'], zone: 'it' },
] as const satisfies readonly { name: string; roles: readonly Role[]; zone: Zone }[];

export type DeviceName = (typeof DEVICES)[number]['name'];

/** One device, its host and its wire. */
export interface Station {
  readonly host: Host;
  readonly wire: Wire;
  /** Of the device; its relay is at `.1` of the same network. */
  readonly address: string;
  /** Where TLS keys of this device are written; for tests only. */
  readonly keyLog: string;
}

/** The site of the plant, always with the same keys; its roster goes into `directory`. */
export function plantSite(directory: string, intervalMs: number): Site {
  return makeSite({
    directory,
    intervalMs,
    blockSize: BLOCK_BYTES,
    logQuantum: LOG_QUANTUM,
    devices: DEVICES,
    routes: [
      { from: 'plc', to: ['historian'] },
      { from: 'planner', to: ['valve'] },
    ],
  });
}

export class UniformPlant {
  readonly site: Site;
  readonly stations: Readonly<Record<DeviceName, Station>>;
  readonly intervalMs: number;
  readonly #ending: Ending;
  readonly #directory: string;
  readonly #relayHost: Host;
  readonly #config: string;
  #place!: Place;

  constructor(ending: Ending, directory: string, intervalMs: number) {
    this.#ending = ending;
    this.#directory = directory;
    this.intervalMs = intervalMs;
    this.site = plantSite(directory, intervalMs);
    this.#config = this.path('config');
    mkdirSync(this.#config);
    for (const { name } of DEVICES) enrol(this.#config, this.site, this.site.device(name));
    const networks = new Networks(ending);
    this.#relayHost = networks.host('relay');
    const stations = DEVICES.map(({ name }, at) => [name, this.#station(networks, name, at + 1)] as const);
    this.stations = Object.fromEntries(stations) as Record<DeviceName, Station>;
  }

  path(...names: string[]): string {
    return join(this.#directory, ...names);
  }

  async startRelay(): Promise<void> {
    const data = ['inbound', 'claim', 'membership'] as const;
    const listeners = [
      ...DEVICES.map(({ name, zone }) => {
        return { zone, address: relayAddress(this.stations[name]), port: PORT, tls: 'pq', calls: [...data] };
      }),
      { ...ZONE_LISTENERS[2]!, port: MANAGEMENT_PORT, calls: ['health', 'ct-sth-history'] },
    ];
    const config = writeRelayConfig(this.#directory, this.site, {
      store: { slots: 64 },
      limits: { slotsPerSender: 4 }, // a receiver that is gone is felt after a second or two
      listeners,
    });
    this.#place = await spawnRelay(this.#ending, config, { through: this.#relayHost.through }).ready;
    for (const { name } of DEVICES) addProfile(this.#config, name, this.site, this.urlOf(name), this.#place.pin);
  }

  /** The relay as the host of `name` reaches it. */
  urlOf(name: DeviceName): string {
    return `https://${relayAddress(this.stations[name])}:${PORT}`;
  }

  get pin(): string {
    return this.#place.pin;
  }

  sender(name: 'plc' | 'planner'): Running {
    mkdirSync(this.path('outgoing', name), { recursive: true });
    const words = ['--stdin', '--watch', this.path('outgoing', name), '--settle', '0', '--after', 'delete'];
    return this.#tool('sender', name, words);
  }

  receiver(name: 'valve' | 'historian'): Running {
    return this.#tool('receiver', name, ['--output', this.path('received', name)]);
  }

  /** Runs a script on the host of `name`. */
  script(name: DeviceName, script: string, words: readonly string[]): Running {
    return startScript(this.#ending, script, words, this.#options(name));
  }

  /** When slots of `name` open: milliseconds since 1970 of one of them. */
  gridMs(name: DeviceName): number {
    const { slotPhaseMs } = readEnrolment(engine, deviceFolder(this.#config, name));
    const epochMs = performance.timeOrigin + performance.now() - monotonicClock.now();
    return epochMs + slotPhaseMs(this.intervalMs);
  }

  /** The newest heads of the audit log, as anybody may read them. */
  async heads(): Promise<Head[]> {
    const request = JSON.stringify([{ path: '/v2/ct/sth/history' }]);
    const words = ['127.0.0.1', String(MANAGEMENT_PORT), this.pin, request];
    const { through } = this.#relayHost;
    const { ended, stdout, stderr } = startScript(this.#ending, 'test/fixtures/ask-script.ts', words, { through });
    if ((await ended) !== 0) throw new Error(`the relay shows no heads: ${stderr()}`);
    const [answer] = lastJson(stdout()) as unknown as { readonly body: string }[];
    const { heads } = JSON.parse(answer!.body) as { readonly heads: readonly Head[] };
    return heads.map(({ origin, size }) => ({ origin, size }));
  }

  #tool(tool: 'sender' | 'receiver', name: DeviceName, words: readonly string[]): Running {
    const common = ['--device-id', name, '--relay', name, '--config-dir', this.#config, '--json'];
    return startTool(this.#ending, tool, [...common, '--state-dir', this.path('state'), ...words], this.#options(name));
  }

  #options(name: DeviceName) {
    const { host, keyLog } = this.stations[name];
    return { through: host.through, env: { NODE_OPTIONS: `--tls-keylog=${keyLog}` } };
  }

  #station(networks: Networks, name: DeviceName, number: number): Station {
    const host = networks.host(name);
    const address = `10.85.${number}.2`;
    const wire = networks.wire(
      name,
      { host, addresses: [`${address}/24`] },
      { host: this.#relayHost, addresses: [`10.85.${number}.1/24`] },
    );
    // Each packet on the wire as a cable has it: none is put together before or behind it.
    for (const end of [host, this.#relayHost]) end.run('ethtool', '-K', name, 'tso', 'off', 'gso', 'off', 'gro', 'off');
    return { host, wire, address, keyLog: this.path(`${name}.keys`) };
  }
}

function relayAddress({ address }: Station): string {
  return address.replace(/2$/, '1');
}
