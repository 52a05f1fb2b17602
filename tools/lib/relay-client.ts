/** The calls of a relay as a client makes them: bounded, over the pinned connection, refusals as `Problem`. */
import https from 'node:https';
import { canonicalBytes, type Json, parseJson } from '../../protocol/canonical.ts';
import { CONTROL_BYTES, type ControlItem, encodeControl, parseControl } from '../../protocol/control.ts';
import { PROBLEMS, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { ROSTER } from '../../protocol/roster.ts';
import { MAX_TAIL_PROOF_BYTES } from '../../protocol/tail-proof.ts';
import { toHex } from '../../protocol/text.ts';
import { type PinnedPeer, peerOf, pinnedAgent } from './pinned-tls.ts';

const OCTETS = 'application/octet-stream';
const JSON_TYPE = 'application/json';
const JSON_LIMIT = 65_536;
/** A status or an exposition with as many devices as a roster may have. */
const STATUS_LIMIT = 1_048_576;
/** The longest proof of the audit log. */
const LOG_LIMIT = MAX_TAIL_PROOF_BYTES;
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
  /** Connections kept open: one for each exchange that may run at the same time. */
  readonly maxSockets?: number;
  /** No byte in either direction for this long ends a request, or an attempt to connect; 30 s when left out. */
  readonly idleTimeoutMs?: number;
}

/** One client of one relay. `close` ends its connections. */
export class RelayClient {
  readonly #idleTimeoutMs: number;
  readonly #maxSockets: number;
  #peer: PinnedPeer;
  #agent: https.Agent;
  #apiKey: string | undefined;

  constructor(options: RelayClientOptions) {
    this.#idleTimeoutMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
    this.#maxSockets = options.maxSockets ?? 2;
    this.#peer = peerOf(options.url, options.pins);
    this.#agent = pinnedAgent(this.#peer, this.#maxSockets, this.#idleTimeoutMs);
    this.#apiKey = options.apiKey;
  }

  /** Goes on with this address, these pins and this key. Ends every connection, and what is under way with it. */
  use(options: Pick<RelayClientOptions, 'url' | 'pins' | 'apiKey'>): void {
    this.#agent.destroy();
    this.#peer = peerOf(options.url, options.pins);
    this.#agent = pinnedAgent(this.#peer, this.#maxSockets, this.#idleTimeoutMs);
    this.#apiKey = options.apiKey;
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

  /** Submits one block; gives the items of the control frame that answers. */
  async submit(block: Uint8Array): Promise<readonly ControlItem[]> {
    const answer = await this.#exchange({
      method: 'POST',
      path: '/v2/inbound',
      body: block,
      type: OCTETS,
      limit: CONTROL_BYTES,
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

  /** The relay's `.tlog-proof` of the statement of a log epoch, by the SHA-256 of its origin: to be verified. */
  async logEpoch(originHash: Uint8Array): Promise<Uint8Array> {
    return this.#exchange({ method: 'GET', path: `/v2/ct/epochs/${toHex(originHash)}/epoch`, limit: LOG_LIMIT });
  }

  /** The relay's `.tlog-proof` of a leaf of the log `origin`: to be verified. */
  async logProof(origin: string, index: number): Promise<Uint8Array> {
    const path = `/v2/ct/proof?origin=${encodeURIComponent(origin)}&index=${index}`;
    return this.#exchange({ method: 'GET', path, limit: LOG_LIMIT });
  }

  /** The relay's tail proof of a leaf of an epoch that ended, by the SHA-256 of its origin: to be verified. */
  async logTail(originHash: Uint8Array, index: number): Promise<Uint8Array> {
    const path = `/v2/ct/epochs/${toHex(originHash)}/tail?index=${index}`;
    return this.#exchange({ method: 'GET', path, limit: LOG_LIMIT });
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
    this.#agent.destroy();
  }

  async #post(path: string, body: Uint8Array, type: string): Promise<Json> {
    return parseAnswer(await this.#exchange({ method: 'POST', path, body, type, limit: JSON_LIMIT }));
  }

  async #json(method: Request['method'], path: string, body?: object): Promise<Json> {
    const sent = body === undefined ? {} : { body: canonicalBytes(body), type: JSON_TYPE };
    return parseAnswer(await this.#exchange({ method, path, limit: JSON_LIMIT, ...sent }));
  }

  /** One request and its whole answer; anything but 2xx is a `Problem`. */
  #exchange(request: Request): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const call = https.request(
        {
          agent: this.#agent,
          host: this.#peer.host,
          port: this.#peer.port,
          method: request.method,
          path: request.path,
          headers: {
            ...(this.#apiKey === undefined ? {} : { authorization: `Bearer ${this.#apiKey}` }),
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
      call.end(request.body);
    });
  }
}

function parseAnswer(bytes: Uint8Array, limit = JSON_LIMIT): Json {
  try {
    return parseJson(bytes, limit);
  } catch {
    throw new Problem('relay-answer-invalid', `${bytes.length} bytes of the answer are not JSON`);
  }
}

/** The relay's refusal. Its code counts only when it is one of ours; its words are printed only when harmless. */
function refusal(status: number, body: Uint8Array): Problem {
  if (status >= 300 && status < 400) {
    return new Problem('redirect-refused', `the relay answered with status ${status}`);
  }
  const { code, detail } = problemFields(body);
  if (code === undefined) return new Problem('relay-answer-invalid', `status ${status} without a problem code`);
  return new Problem(code, detail);
}

function problemFields(body: Uint8Array): { code?: ProblemCode; detail: string } {
  try {
    const { code, detail } = parseJson(body, JSON_LIMIT) as { code?: unknown; detail?: unknown };
    if (typeof code !== 'string' || !Object.hasOwn(PROBLEMS, code)) return { detail: '' };
    if (PROBLEMS[code as ProblemCode].status === 0) return { detail: '' }; // what only this host can know
    return { code: code as ProblemCode, detail: printable(typeof detail === 'string' ? detail : code) };
  } catch {
    return { detail: '' };
  }
}

function printable(text: string): string {
  return text.slice(0, 300).replace(/[^\x20-\x7e]/g, '?');
}

function lost(peer: PinnedPeer, error: Error): Problem {
  if (error instanceof Problem) return error;
  const why = (error as NodeJS.ErrnoException).code ?? error.message;
  if (why.startsWith('HPE_')) return new Problem('relay-answer-invalid', `the answer is not HTTP (${why})`);
  return new Problem('relay-unreachable', `the connection to ${peer.host}:${peer.port} broke (${why})`);
}
