/** The calls of a relay as a client makes them: bounded, over the pinned connection, refusals as `Problem`. */
import https from 'node:https';
import { canonicalBytes, type Json } from '../../protocol/canonical.ts';
import { CONTROL_BYTES, type ControlItem, encodeControl, parseControl } from '../../protocol/control.ts';
import { Problem } from '../../protocol/problem.ts';
import { ROSTER } from '../../protocol/roster.ts';
import { MAX_LANES, windowMs } from '../../protocol/slot-plan.ts';
import { toHex } from '../../protocol/text.ts';
import { writePaced } from './paced.ts';
import { type PinnedPeer, peerOf, pinnedAgent } from './pinned-tls.ts';
import { JSON_LIMIT, lost, parseAnswer, refusal } from './relay-answer.ts';

const OCTETS = 'application/octet-stream';
const JSON_TYPE = 'application/json';
/** A status or an exposition with as many devices as a roster may have. */
const STATUS_LIMIT = 1_048_576;
const IDLE_TIMEOUT_MS = 30_000;
/** However short the interval, a relay under load gets this long to say something. */
const LEAST_IDLE_TIMEOUT_MS = 5_000;
/** Of an interval: the rest is for noticing, so that a dead connection costs one slot and not the next one too. */
const IDLE_PART_OF_INTERVAL = 0.8;

/** How long a client with one exchange an interval waits for a byte: less than its interval, within 5 and 30 s. */
export function idleTimeoutFor(intervalMs: number): number {
  return Math.max(LEAST_IDLE_TIMEOUT_MS, Math.min(IDLE_TIMEOUT_MS, intervalMs * IDLE_PART_OF_INTERVAL));
}

interface Request {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: Uint8Array;
  readonly type?: string;
  /** Most bytes of the answer. */
  readonly limit: number;
  /** One of the exchanges of a slot, which keep to the rules of the uniform exchange if the client does. */
  readonly inSlot?: true;
  /** The connection of an exchange that has one of its own. */
  readonly agent?: https.Agent;
}

/** A block (real or cover) and the control frame beside it. */
export interface Claimed {
  readonly block: Uint8Array;
  readonly items: readonly ControlItem[];
}

export interface RelayClientOptions {
  readonly url: string;
  readonly pins: readonly string[];
  /** Left out by an operator, whose signature alone authorises what he publishes. */
  readonly apiKey?: string;
  /** The interval of the sector of a client that keeps the uniform exchange: submits and claims go by its rules. */
  readonly uniformMs?: number;
  /** Connections kept open: one for each exchange that may run at the same time, which is one for each lane. */
  readonly maxSockets?: number;
  /** No byte in either direction for this long ends a request, or an attempt to connect; 30 s when left out. */
  readonly idleTimeoutMs?: number;
}

/** One client of one relay. `close` ends its connections. */
export class RelayClient {
  readonly #idleTimeoutMs: number;
  readonly #maxSockets: number;
  readonly #uniformMs: number | undefined;
  #peer: PinnedPeer;
  /** The connections of lanes, and of everything when the client does not keep the uniform exchange. */
  #agent: https.Agent;
  /** The one of all other calls; none of them may come between those of a lane. */
  #other: https.Agent;
  /** Connections of exchanges beside the slots. */
  readonly #aside = new Set<https.Agent>();
  #apiKey: string | undefined;

  constructor(options: RelayClientOptions) {
    this.#idleTimeoutMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
    this.#uniformMs = options.uniformMs;
    this.#maxSockets = options.maxSockets ?? (options.uniformMs === undefined ? 2 : MAX_LANES);
    this.#peer = peerOf(options.url, options.pins);
    this.#agent = pinnedAgent(this.#peer, this.#maxSockets, this.#idleTimeoutMs);
    this.#other = this.#besideLanes();
    this.#apiKey = options.apiKey;
  }

  /** Goes on with this address, these pins and this key. Ends every connection, and what is under way with it. */
  use(options: Pick<RelayClientOptions, 'url' | 'pins' | 'apiKey'>): void {
    this.close();
    this.#peer = peerOf(options.url, options.pins);
    this.#agent = pinnedAgent(this.#peer, this.#maxSockets, this.#idleTimeoutMs);
    this.#other = this.#besideLanes();
    this.#apiKey = options.apiKey;
  }

  /** The exchange beside the slots, over a connection of its own: says `items` and gives those of the answer. */
  async membership(items: readonly ControlItem[]): Promise<readonly ControlItem[]> {
    const agent = pinnedAgent(this.#peer, 1, this.#idleTimeoutMs);
    this.#aside.add(agent);
    const request = { method: 'POST', path: '/v2/membership', body: encodeControl(items), type: OCTETS } as const;
    try {
      return parseControl(await this.#exchange({ ...request, limit: CONTROL_BYTES, agent }));
    } finally {
      agent.destroy();
      this.#aside.delete(agent);
    }
  }

  /** Presents a registration body; the answer is the relay's word and decides nothing by itself. */
  async register(body: object): Promise<Json> {
    return this.#json('POST', '/v2/did/register', body);
  }

  /** What the relay says of a DID: to be verified before anything is believed. */
  async did(did: string): Promise<Json> {
    return this.#json('GET', `/v2/did/${encodeURIComponent(did)}`);
  }

  /** The bytes that the relay calls the roster: to be opened by `openRoster`. */
  async roster(): Promise<Uint8Array> {
    return this.#exchange({ method: 'GET', path: '/v2/roster', limit: ROSTER.limit });
  }

  async publishRoster(bytes: Uint8Array): Promise<Json> {
    return this.#post('/v2/roster', bytes, JSON_TYPE);
  }

  /** Gives the relay a checkpoint of its log with the line of an archive server. */
  async giveCosigned(checkpoint: Uint8Array): Promise<Json> {
    return this.#post('/v2/ct/cosigned', checkpoint, 'text/plain');
  }

  async revoke(document: Json): Promise<Json> {
    return this.#json('POST', '/v2/revoke', document as object);
  }

  /**
   * Submits one block; gives the items of the control frame that answers. In the uniform exchange a refusal is one of
   * them, else it is thrown.
   */
  async submit(block: Uint8Array): Promise<readonly ControlItem[]> {
    const answer = await this.#exchange({
      method: 'POST',
      path: '/v2/inbound',
      body: block,
      type: OCTETS,
      limit: CONTROL_BYTES,
      inSlot: true,
    });
    return parseControl(answer);
  }

  /** Says `items` and leases the next block of `blockBytes` bytes; there is always a block, perhaps a cover. */
  async claim(items: readonly ControlItem[], blockBytes: number): Promise<Claimed> {
    const answer = await this.#exchange({
      method: 'POST',
      path: '/v2/claim',
      body: encodeControl(items),
      type: OCTETS,
      limit: blockBytes + CONTROL_BYTES,
      inSlot: true,
    });
    if (answer.length !== blockBytes + CONTROL_BYTES) {
      throw new Problem(
        'relay-answer-invalid',
        `a claim was answered by ${answer.length} bytes, expected ${blockBytes + CONTROL_BYTES}`,
      );
    }
    return { block: answer.subarray(0, blockBytes), items: parseControl(answer.subarray(blockBytes)) };
  }

  /** Says `items` (acks, rejects, receipts) without leasing anything. */
  async ack(items: readonly ControlItem[]): Promise<readonly ControlItem[]> {
    const answer = await this.#exchange({
      method: 'POST',
      path: '/v2/ack',
      body: encodeControl(items),
      type: OCTETS,
      limit: CONTROL_BYTES,
    });
    return parseControl(answer);
  }

  async status(transferId: Uint8Array): Promise<Json> {
    return this.#json('GET', `/v2/status/${toHex(transferId)}`);
  }

  async delete(transferId: Uint8Array): Promise<Json> {
    return this.#json('DELETE', `/v2/inbound/${toHex(transferId)}`);
  }

  /** What a call of the audit log answers to `path`, at most `limit` bytes: to be verified. */
  async logCall(path: string, limit: number): Promise<Uint8Array> {
    return this.#exchange({ method: 'GET', path, limit });
  }

  async health(): Promise<Json> {
    return this.#json('GET', '/health');
  }

  /** What the management zone is shown of the relay and its devices; the relay's word. */
  async siteStatus(): Promise<Json> {
    return parseAnswer(
      await this.#exchange({ method: 'GET', path: '/status.json', limit: STATUS_LIMIT }),
      STATUS_LIMIT,
    );
  }

  /** The relay's counters and gauges, as OpenMetrics text. */
  async metrics(): Promise<string> {
    const answer = await this.#exchange({ method: 'GET', path: '/metrics', limit: STATUS_LIMIT });
    return Buffer.from(answer).toString('utf8');
  }

  close(): void {
    for (const agent of [this.#agent, this.#other, ...this.#aside]) agent.destroy();
  }

  async #post(path: string, body: Uint8Array, type: string): Promise<Json> {
    return parseAnswer(await this.#exchange({ method: 'POST', path, body, type, limit: JSON_LIMIT }));
  }

  #besideLanes(): https.Agent {
    return this.#uniformMs === undefined ? this.#agent : pinnedAgent(this.#peer, 1, this.#idleTimeoutMs);
  }

  async #json(method: Request['method'], path: string, body?: object): Promise<Json> {
    const sent = body === undefined ? {} : { body: canonicalBytes(body), type: JSON_TYPE };
    return parseAnswer(await this.#exchange({ method, path, limit: JSON_LIMIT, ...sent }));
  }

  /** One request and its whole answer; anything but 2xx is a `Problem`. */
  #exchange(request: Request): Promise<Uint8Array> {
    const paceMs = request.inSlot && this.#uniformMs ? windowMs(this.#uniformMs) : 0;
    return new Promise((resolve, reject) => {
      const call = https.request(
        {
          agent: request.agent ?? (request.inSlot ? this.#agent : this.#other),
          host: this.#peer.host,
          port: this.#peer.port,
          method: request.method,
          path: request.path,
          headers: {
            ...(this.#apiKey === undefined ? {} : { authorization: `Bearer ${this.#apiKey}` }),
            ...(paceMs === 0 ? {} : { accept: OCTETS }),
            ...(request.body ? { 'content-type': request.type, 'content-length': request.body.length } : {}),
          },
        },
        (answer) => {
          const chunks: Buffer[] = [];
          let length = 0;
          const limit = Math.max(request.limit, JSON_LIMIT);
          answer.on('data', (chunk: Buffer) => {
            length += chunk.length;
            if (length > limit) {
              call.destroy(new Problem('relay-answer-invalid', `the answer is longer than ${limit} bytes`));
            } else {
              chunks.push(chunk);
            }
          });
          answer.on('end', () => {
            // No Buffer goes out: its `slice` would share memory where a Uint8Array's copies.
            const { buffer, byteOffset } = Buffer.concat(chunks);
            const body = new Uint8Array(buffer, byteOffset, length);
            const status = answer.statusCode ?? 0;
            if (status >= 200 && status < 300) resolve(body);
            else reject(refusal(status, body));
          });
          answer.on('error', (error) => reject(lost(this.#peer, error)));
        },
      );
      call.setTimeout(this.#idleTimeoutMs, () =>
        call.destroy(new Problem('relay-unreachable', `no byte from the relay for ${this.#idleTimeoutMs / 1000} s`)),
      );
      call.on('error', (error) => reject(lost(this.#peer, error)));
      if (paceMs > 0 && request.body) writePaced(call, request.body, paceMs);
      else call.end(request.body);
    });
  }
}
