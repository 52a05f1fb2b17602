/** nginx under the same load as the relay: a client puts a file and gets it, each over a connection of its own. */
import { randomBytes } from 'node:crypto';
import { HttpLane } from './http-lane.ts';
import type { LoadClient, Target } from './load.ts';
import type { Nginx } from './nginx.ts';

export interface NginxTarget extends Target {
  close(): void;
}

/** `clients` clients of `nginx`. Each has `FILES` files, which it writes over in turn. */
export function nginxTarget(nginx: Nginx, clients: number, blockBytes: number): NginxTarget {
  const made = Array.from({ length: clients }, (_, i) => new NginxClient(nginx, `client-${i}`, blockBytes));
  return {
    name: 'nginx',
    pids: nginx.pids,
    clients: made,
    blockBytes,
    close() {
      for (const client of made) client.close();
    },
  };
}

/** A file is overwritten only after it was read, as a slot is. */
const FILES = 4;

class NginxClient implements LoadClient {
  readonly #up: HttpLane;
  readonly #down: HttpLane;
  readonly #name: string;
  readonly #block: Uint8Array;
  #put = 0;
  #got = 0;

  constructor({ peer }: Nginx, name: string, blockBytes: number) {
    this.#up = new HttpLane(peer);
    this.#down = new HttpLane(peer);
    this.#name = name;
    this.#block = randomBytes(blockBytes);
  }

  async submit(): Promise<void> {
    const { status } = await this.#up.ask({ method: 'PUT', path: this.#path(this.#put++), body: this.#block });
    if (status !== 201 && status !== 204) throw new Error(`nginx answered a PUT with status ${status}`);
  }

  async claim(): Promise<void> {
    const { status, bytes } = await this.#down.ask({ method: 'GET', path: this.#path(this.#got++) });
    if (status !== 200 || bytes !== this.#block.length) {
      throw new Error(`nginx answered a GET with status ${status} and ${bytes} bytes`);
    }
  }

  close(): void {
    this.#up.close();
    this.#down.close();
  }

  #path(count: number): string {
    return `/${this.#name}-${count % FILES}`;
  }
}
