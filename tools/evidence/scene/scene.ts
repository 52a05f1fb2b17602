/**
 * A scene: a twin of the relay under test, started from the software of this folder with the configuration under test,
 * on loopback and with a site of its own. Each look of a check has one; a sabotaged scene differs from it in one thing.
 */
import { randomInt } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { parseJson } from '../../../protocol/canonical.ts';
import type { Call, ListenerConfig } from '../../../protocol/config.ts';
import type { Engine } from '../../../protocol/engine/engine.ts';
import { Problem } from '../../../protocol/problem.ts';
import type { Zone } from '../../../protocol/shapes.ts';
import { type Enrolment, readEnrolment } from '../../lib/device.ts';
import type { PinnedPeer } from '../../lib/pinned-tls.ts';
import { RelayClient } from '../../lib/relay-client.ts';
import { ToolProcess } from '../../lib/tool-process.ts';
import { type Answer, ask, type Question } from './asking.ts';
import { dropAtEnd, dropNow, hasEnded, killAtEnd } from './leftovers.ts';
import type { LogCopy } from './log-copy.ts';
import { MUTATIONS_VARIABLE, type Mutation } from './mutation.ts';
import { type DeviceName, runTool, TEMPLATE_ADDRESS } from './template.ts';

/** A relay.yaml as a value. */
export type Written = Readonly<Record<string, unknown>> & { readonly listeners: readonly ListenerConfig[] };

/** In what a scene differs from a clean one. */
export interface Sabotage {
  /** In the sources of every program that it starts. */
  readonly mutations?: readonly Mutation[];
  /** In the configuration of the relay. */
  readonly change?: (written: Written) => Written;
  /** In what seals and opens blocks here. */
  readonly engine?: (engine: Engine) => Engine;
  /** In a block, after it was sealed. */
  readonly block?: (block: Uint8Array, plain: Uint8Array) => void;
  /** In what was read of the audit log. */
  readonly log?: (copy: LogCopy) => LogCopy;
  /** In the files of the project, of which `folder` holds a copy. */
  readonly files?: (folder: string) => void;
}

export interface SceneOptions {
  /** The folder of `makeTemplate`. */
  readonly template: string;
  /** Folder of the project under test. */
  readonly project: string;
  readonly engine: Engine;
  /** The configuration under test; that of a new site when it is left out. */
  readonly written?: Written;
  readonly sabotage?: Sabotage;
}

export interface Listener {
  readonly zone: Zone;
  readonly tls: ListenerConfig['tls'];
  readonly address: string;
  readonly port: number;
  readonly calls: readonly Call[];
}

/** The twin, listening. */
export interface Twin {
  readonly pid: number;
  readonly listeners: readonly Listener[];
  readonly pin: string;
  readonly logPin: string;
}

/** Ports of the twin: the pq listener of each zone, then all others. */
const ZONE_PORTS: Readonly<Record<Zone, number>> = { ot: 3000, it: 3001, management: 3002 };
const OTHER_PORTS = 3003;
/** Calls that the twin serves besides, since checks look by them one step at a time. */
const LOOKED_BY: Readonly<Record<Zone, readonly Call[]>> = {
  ot: ['inbound', 'status', 'delete', 'register', 'did', 'roster'],
  it: ['claim', 'ack', 'outbound', 'register', 'did', 'roster'],
  management: ['register', 'roster'],
};
const MUTATOR = join(import.meta.dirname, 'mutator.ts');

export class Scene {
  readonly engine: Engine;
  readonly sabotage: Sabotage;
  readonly project: string;
  readonly folder: string;
  readonly address: string;
  readonly #options: SceneOptions;
  readonly #toClose: (() => unknown)[] = [];
  #twin: Promise<Twin> | undefined;

  constructor(options: SceneOptions) {
    this.#options = options;
    this.sabotage = options.sabotage ?? {};
    this.engine = this.sabotage.engine?.(options.engine) ?? options.engine;
    this.project = options.project;
    this.address = `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;
    this.folder = mkdtempSync(join(tmpdir(), 'ghostpipe-scene-'));
    dropAtEnd(this.folder);
    cpSync(options.template, this.folder, { recursive: true });
    const names = ['site/site.json', ...['historian', 'mirror', 'plc'].map((name) => `hosts/${name}/config.yaml`)];
    for (const name of names) this.#moveHere(name);
    this.#writeConfig();
  }

  /** The twin; it starts when it is first asked for. Refuses `internal` when it does not start. */
  relay(): Promise<Twin> {
    this.#twin ??= this.#start();
    return this.#twin;
  }

  /** The epoch of the twin, which is new at each start; empty when it was not started or cannot be asked. */
  async bootId(): Promise<string> {
    if (!this.#twin) return '';
    const answer = await this.ask('management', { path: '/health' }).catch(() => undefined);
    return answer ? ((JSON.parse(answer.body.toString('utf8')) as { epoch?: string }).epoch ?? '') : '';
  }

  /** Where the pq listener of a zone is; refuses `config-invalid` when there is none. */
  async peer(zone: Zone): Promise<PinnedPeer> {
    const { listeners, pin } = await this.relay();
    const found = listeners.find((each) => each.zone === zone && each.tls === 'pq');
    if (!found) throw new Problem('config-invalid', `the configuration has no pq listener in the zone ${zone}`);
    return { host: this.address, port: found.port, pins: [pin] };
  }

  /** One request to the pq listener of a zone. */
  async ask(zone: Zone, question: Question): Promise<Answer> {
    return ask(await this.peer(zone), question);
  }

  enrolment(name: DeviceName): Enrolment {
    return readEnrolment(this.engine, join(this.folder, 'hosts', name, 'devices', name));
  }

  /** A client of a device at the listener of a zone, not registered. */
  async client(name: DeviceName, zone: Zone): Promise<RelayClient> {
    const { host, port, pins } = await this.peer(zone);
    const client = new RelayClient({ url: `https://${host}:${port}`, pins, apiKey: this.enrolment(name).apiKey });
    this.#toClose.push(() => client.close());
    return client;
  }

  /** A client of a device after it registered. */
  async registered(name: DeviceName, zone: Zone): Promise<RelayClient> {
    const client = await this.client(name, zone);
    await client.register(registrationOf(this.enrolment(name)));
    return client;
  }

  /** Runs a tool to its end with the mutations of this scene. */
  run(words: readonly string[]): ReturnType<typeof runTool> {
    return runTool(words, this.#process());
  }

  /** The configuration that the twin is started with. */
  get written(): Written {
    return parse(readFileSync(this.configPath, 'utf8')) as Written;
  }

  get configPath(): string {
    return join(this.folder, 'site', 'relay', 'relay.yaml');
  }

  /** Ends what was started and removes the folder. */
  async close(): Promise<void> {
    for (const end of this.#toClose) await end();
    dropNow(this.folder);
  }

  #moveHere(name: string): void {
    const path = join(this.folder, name);
    const text = readFileSync(path, 'utf8').replaceAll(TEMPLATE_ADDRESS, this.address);
    writeFileSync(path, text);
  }

  /** The configuration under test, with the site, the seed and the places of the twin: never the stick of the site. */
  #writeConfig(): void {
    const made = parse(readFileSync(this.configPath, 'utf8')) as Written;
    const given = this.#options.written ?? made;
    const taken = new Set<Zone>();
    const listeners = given.listeners.map((listener, i) => {
      const isFirst = listener.tls === 'pq' && !taken.has(listener.zone);
      if (isFirst) taken.add(listener.zone);
      const port = isFirst ? ZONE_PORTS[listener.zone] : OTHER_PORTS + i;
      const calls = isFirst ? [...new Set([...listener.calls, ...LOOKED_BY[listener.zone]])] : listener.calls;
      return { ...listener, address: this.address, port, calls };
    });
    const { seedFile, site } = made;
    const { kind: _kind, path: _path, ...store } = (given.store ?? {}) as Record<string, unknown>;
    const own = { name: 'twin', seedFile, site, listeners, store: { slots: 8, ...store }, ...this.#ownStick(given) };
    const written = { ...given, ...own };
    writeFileSync(this.configPath, stringify(this.sabotage.change?.(written) ?? written));
  }

  /** A folder of the twin in place of the stick, when the configuration has one. */
  #ownStick({ audit }: Written): { readonly audit?: object } {
    const { stick } = (audit ?? {}) as { readonly stick?: object };
    if (!stick) return {};
    const path = join(this.folder, 'stick');
    mkdirSync(path);
    return { audit: { ...(audit as object), stick: { path } } };
  }

  #process(): { readonly nodeOptions?: readonly string[]; readonly env?: NodeJS.ProcessEnv } {
    const { mutations } = this.sabotage;
    if (!mutations) return {};
    return { nodeOptions: ['--import', MUTATOR], env: { [MUTATIONS_VARIABLE]: JSON.stringify(mutations) } };
  }

  async #start(): Promise<Twin> {
    const ready = Promise.withResolvers<Twin>();
    const said: string[] = [];
    const relay = new ToolProcess(['relay', '--config', this.configPath, '--json'], {
      ...this.#process(),
      onLine: (line) => ready.resolve(this.#twinOf(line, relay.pid)),
      onNotice: (line) => void said.push(line.slice(0, 300)),
    });
    killAtEnd(relay);
    this.#toClose.push(async () => {
      relay.signal('SIGKILL'); // it holds nothing that anybody waits for
      await relay.exited;
      hasEnded(relay);
    });
    return relay.until(ready.promise, 'the twin').catch((thrown) => {
      throw new Problem('internal', `${(thrown as Error).message} ${said.at(-1) ?? ''}`);
    });
  }

  #twinOf(line: string, pid: number): Twin {
    const { pin, logPin, listeners } = parseJson(Buffer.from(line), 65_536) as unknown as Omit<Twin, 'pid'>;
    const { listeners: written } = this.written;
    const { address } = this;
    const open = listeners.map((each, i) => ({ ...each, address, calls: written[i]!.calls }));
    return { pid, pin, logPin, listeners: open };
  }
}

/** What a device presents at its registration. */
export function registrationOf({ device, grant }: Enrolment): object {
  return { identity: device.identity, grant, keyStatement: device.keyStatement };
}
