/** The relay of a site, at work, as anybody reaches it: checks that need no device of the site look at it in place of a twin. */
import type { ListenerConfig } from '../../../protocol/config.ts';
import { Problem } from '../../../protocol/problem.ts';
import { ZONES, type Zone } from '../../../protocol/shapes.ts';
import type { PinnedPeer } from '../../lib/pinned-tls.ts';
import { ask } from './asking.ts';
import type { Listener } from './scene.ts';

/** What a relay is reached by: that of a site, or a twin. */
export interface Reached {
  relay(): Promise<{ readonly listeners: readonly Listener[] }>;
  peer(zone: Zone): Promise<PinnedPeer>;
  /** Epoch of the relay; empty when it is not told. */
  bootId(): Promise<string>;
}

export class LiveRelay implements Reached {
  readonly #listeners: readonly Listener[];
  readonly #pin: string;

  /** `places` are `ZONE=HOST`: the listeners of these zones are reached at these hosts. Refuses `usage`. */
  constructor(listeners: readonly ListenerConfig[], places: readonly string[], pin: string) {
    const hosts = new Map(places.map(placeOf));
    this.#listeners = listeners.flatMap((each) => {
      const address = hosts.get(each.zone);
      return address === undefined ? [] : [{ ...each, address }];
    });
    const idle = [...hosts.keys()].find((zone) => !this.#listeners.some((each) => each.zone === zone));
    if (idle) throw new Problem('usage', `--relay: the configuration has no listener in the zone ${idle}`);
    this.#pin = pin;
  }

  async relay(): Promise<{ readonly listeners: readonly Listener[] }> {
    return { listeners: this.#listeners };
  }

  async peer(zone: Zone): Promise<PinnedPeer> {
    const found = this.#listeners.find((each) => each.zone === zone && each.tls === 'pq');
    if (!found) throw new Problem('config-invalid', `no pq listener of the zone ${zone} is reached`);
    return { host: found.address, port: found.port, pins: [this.#pin] };
  }

  async bootId(): Promise<string> {
    const told = this.#listeners.find(({ calls, tls }) => tls === 'pq' && calls.includes('health'));
    if (!told) return '';
    const { body } = await ask(await this.peer(told.zone), { path: '/health' });
    return (JSON.parse(body.toString('utf8')) as { epoch?: string }).epoch ?? '';
  }
}

function placeOf(text: string): [Zone, string] {
  const [, name, host] = /^(\w+)=([\w.:-]+)$/.exec(text) ?? [];
  const zone = ZONES.find((each) => each === name);
  if (!zone || host === undefined) {
    throw new Problem('usage', `--relay must be ZONE=HOST with a zone of ${ZONES.join(', ')}, not "${text}"`);
  }
  return [zone, host];
}
