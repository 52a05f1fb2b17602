/**
 * One kept-alive connection of the load generator. It does as little as a client can: no byte of an answer is copied
 * but the end, so that the machine's time goes to the server that is measured.
 */
import https from 'node:https';
import { type PinnedPeer, pinnedAgent } from '../tools/lib/pinned-tls.ts';

export interface LaneRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface LaneAnswer {
  readonly status: number;
  readonly bytes: number;
  /** The first bytes of the body, as they came. */
  readonly start: Buffer;
  /** The last bytes of the body: `tailBytes`, or all when there are less. */
  readonly tail: Buffer;
}

export class HttpLane {
  readonly #peer: PinnedPeer;
  readonly #agent: https.Agent;

  constructor(peer: PinnedPeer) {
    this.#peer = peer;
    this.#agent = pinnedAgent(peer, 1);
  }

  /** One exchange; rejects when the connection breaks, whatever the status is. */
  ask({ method, path, headers, body }: LaneRequest, tailBytes = 0): Promise<LaneAnswer> {
    return new Promise((resolve, reject) => {
      const { host, port } = this.#peer;
      const length = body ? { 'content-length': body.length } : {};
      const call = https.request(
        { agent: this.#agent, host, port, method, path, headers: { ...headers, ...length } },
        (answer) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          answer.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            chunks.push(chunk);
          });
          answer.on('error', reject);
          answer.on('end', () => {
            const tail = lastBytes(chunks, Math.min(tailBytes, bytes));
            resolve({ status: answer.statusCode!, bytes, start: chunks[0] ?? tail, tail });
          });
        },
      );
      call.on('error', reject);
      call.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function lastBytes(chunks: readonly Buffer[], count: number): Buffer {
  let first = chunks.length;
  for (let have = 0; have < count; have += chunks[first]!.length) first -= 1;
  const end = Buffer.concat(chunks.slice(first));
  return end.subarray(end.length - count);
}
