/**
 * A relay as it is shipped, as a process of its own, with a sender and a reader for each client of the load: real
 * enrolments, real sealed blocks, real acknowledgements.
 *
 * A client seals one block and then changes its last bytes for each submit. To the relay that is a new block: it
 * reads the header, hashes the whole and cannot open it. The reader could not either, and opens the first one only.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canonicalBytes } from '../protocol/canonical.ts';
import { CONTROL_BYTES, type ControlItem, encodeControl, itemOf, parseControl } from '../protocol/control.ts';
import type { Engine } from '../protocol/engine/engine.ts';
import { openBlock, sealBlock } from '../protocol/envelope.ts';
import { NO_GROUP } from '../protocol/frame.ts';
import { keyIdOf } from '../protocol/key-id.ts';
import { NO_RUN, streamId } from '../protocol/stream.ts';
import { deviceSeeds } from '../tools/ghostpipe/device-seeds.ts';
import { type EphemeralSite, openEphemeralSite } from '../tools/ghostpipe/ephemeral-site.ts';
import { type Enrolment, readEnrolment } from '../tools/lib/device.ts';
import { deviceFolder } from '../tools/lib/paths.ts';
import { type PinnedPeer, peerOf } from '../tools/lib/pinned-tls.ts';
import { RelayClient } from '../tools/lib/relay-client.ts';
import { HttpLane } from './http-lane.ts';
import type { LoadClient, Target } from './load.ts';

const OCTETS = 'application/octet-stream';
/** How many of a reader's blocks may be on their way or not acknowledged yet. */
const LEASES = 4;
/** How often a refused block is offered again, and after what time. A refusal is counted, and there should be none. */
const ATTEMPTS = 20;
const RETRY_MS = 100;

export interface RelayTarget extends Target {
  readonly pid: number;
  /** The listener that blocks are submitted to. */
  readonly peer: PinnedPeer;
  /** Blocks that the relay refused. */
  refusals(): number;
  /** Acknowledges everything that was claimed. */
  settle(): Promise<void>;
  /** Ends the relay's process; its folder stays until `close`. */
  stop(): Promise<void>;
  /** The folder of its configuration. */
  readonly folder: string;
  close(): Promise<void>;
}

export interface RelayTargetOptions {
  readonly clients: number;
  readonly slots: number;
  readonly blockBytes: number;
  /** Script that runs the relay as `SCRIPT relay ...`; the product's own entry when it is left out. */
  readonly script?: string;
}

/** Starts a relay and `clients` pairs of devices, all registered. */
export async function startRelayTarget(engine: Engine, options: RelayTargetOptions): Promise<RelayTarget> {
  const { clients, slots, blockBytes, script } = options;
  const names = Array.from({ length: clients }, (_, i) => [`sender-${i}`, `reader-${i}`] as const);
  const site = await openEphemeralSite(engine, {
    name: 'bench',
    blockSize: blockBytes,
    intervalMs: 1000,
    slots,
    logQuantum: 1, // a site is planned for its rate; a bench asks for what there is
    logLevel: 'warn',
    devices: names.flatMap(([sender, reader]) => [
      { name: reader, roles: ['receive'] as const, zone: 'it' as const, to: [], groups: [] },
      { name: sender, roles: ['send'] as const, zone: 'ot' as const, to: [reader], groups: [] },
    ]),
    ...(script ? { relayScript: script } : {}),
  });
  const pairs: RelayPair[] = [];
  const close = async (): Promise<void> => {
    for (const pair of pairs) pair.close();
    await site.close();
  };
  try {
    for (const [sender, reader] of names) pairs.push(await joinPair(engine, site, sender, reader, blockBytes));
  } catch (thrown) {
    await close();
    throw thrown;
  }
  const { urls, relayPins } = site.site.settings;
  return {
    name: 'relay',
    pid: site.relay.pid,
    pids: [site.relay.pid],
    clients: pairs,
    blockBytes,
    peer: peerOf(urls.ot, relayPins),
    refusals: () => pairs.reduce((sum, { refusals }) => sum + refusals, 0),
    async settle() {
      await Promise.all(pairs.map((pair) => pair.settle()));
    },
    folder: join(site.site.path, 'relay'),
    async stop() {
      for (const pair of pairs) pair.close();
      await site.relay.stop();
    },
    close,
  };
}

async function joinPair(
  engine: Engine,
  { site, environment }: EphemeralSite,
  senderName: string,
  readerName: string,
  blockBytes: number,
): Promise<RelayPair> {
  const { urls, relayPins } = site.settings;
  const enrolled = (name: string) => readEnrolment(engine, deviceFolder(environment(name).GHOSTPIPE_CONFIG_DIR, name));
  const sender = enrolled(senderName);
  const reader = enrolled(readerName);
  await register(urls.ot, relayPins, sender);
  await register(urls.it, relayPins, reader);
  const kemSeed = deviceSeeds(environment(readerName).GHOSTPIPE_CONFIG_DIR, readerName).at(-1)!;
  const sealed = sealOnce(engine, sender, reader, kemSeed, blockBytes);
  return new RelayPair({
    up: new HttpLane(peerOf(urls.ot, relayPins)),
    down: new HttpLane(peerOf(urls.it, relayPins)),
    senderKey: sender.apiKey,
    readerKey: reader.apiKey,
    ...sealed,
  });
}

async function register(url: string, pins: readonly string[], { device, grant, apiKey }: Enrolment): Promise<void> {
  const client = new RelayClient({ url, pins, apiKey });
  try {
    const bytes = canonicalBytes({ identity: device.identity, grant, keyStatement: device.keyStatement });
    const refused = itemOf(await client.membership([{ type: 'registration', bytes }]), 'problem');
    if (refused) throw new Error(`the relay does not register ${device.name}: ${refused.code}`);
  } finally {
    client.close();
  }
}

/** A block of `sender` to `reader`, and the secret that acknowledges it. */
function sealOnce(
  engine: Engine,
  { device: sender }: Enrolment,
  { device: reader }: Enrolment,
  kemSeed: Uint8Array,
  blockBytes: number,
): { readonly block: Uint8Array; readonly ackSecret: Uint8Array } {
  const { publicKey } = engine.kemKey(kemSeed);
  const block = new Uint8Array(blockBytes);
  sealBlock(engine, block, {
    recipients: [{ keyId: keyIdOf(engine, publicKey), publicKey }],
    views: 1,
    ttlSeconds: 3600,
    burnAtClaim: false,
    signer: sender.signer,
    fields: {
      senderDigest: sender.digest,
      keyGeneration: sender.generation,
      streamId: streamId(sender.digest, [reader.digest]),
      run: NO_RUN,
      previousRun: NO_RUN,
      blockSeq: 0,
      firstRecord: 0,
      recordCount: 0,
      wallTimeMs: 0,
      timeQuality: 'none',
      monotonicMs: 0,
      expiryMs: 0,
      type: 'selftest',
      group: NO_GROUP,
    },
    plain: new Uint8Array(0),
  });
  const { ackSecret } = openBlock(engine, block.slice(), {
    kemKey: (keyId) => reader.kemKey(keyId),
    senderKeys: () => sender.signer.publicKeys,
  });
  return { block, ackSecret };
}

interface PairOptions {
  readonly up: HttpLane;
  readonly down: HttpLane;
  readonly senderKey: string;
  readonly readerKey: string;
  readonly block: Uint8Array;
  readonly ackSecret: Uint8Array;
}

/** A sender and the one reader of its blocks. */
class RelayPair implements LoadClient {
  readonly #pair: PairOptions;
  readonly #count: DataView;
  readonly #session: Extract<ControlItem, { type: 'session' }>;
  #acks: ControlItem[] = [];
  refusals = 0;

  constructor(pair: PairOptions) {
    this.#pair = pair;
    const { buffer, length } = pair.block;
    this.#count = new DataView(buffer, length - 8);
    this.#session = { type: 'session', sessionId: randomBytes(16), maxLeases: LEASES };
  }

  async submit(): Promise<void> {
    const { up, senderKey, block } = this.#pair;
    this.#count.setBigUint64(0, this.#count.getBigUint64(0) + 1n);
    const request = { method: 'POST', path: '/v2/inbound', headers: headersFor(senderKey), body: block } as const;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { status } = await up.ask(request);
      if (status === 201) return;
      this.refusals += 1;
      await sleep(RETRY_MS);
    }
    throw new Error(`the relay refused a block ${ATTEMPTS} times`);
  }

  async claim(): Promise<void> {
    const items = await this.#say([this.#session, ...this.#acks]);
    const lease = itemOf(items, 'lease');
    if (!lease) throw new Error('the relay gave a cover although a block waits');
    this.#acks = [{ type: 'ack', transferId: lease.transferId, ackSecret: this.#pair.ackSecret }, ...this.#acks];
  }

  async settle(): Promise<void> {
    if (this.#acks.length > 0) await this.#say([{ ...this.#session, maxLeases: 0 }, ...this.#acks]);
  }

  close(): void {
    this.#pair.up.close();
    this.#pair.down.close();
  }

  /** Says acks among `items`, which must all be taken, and gives the control frame of the answer. */
  async #say(items: readonly ControlItem[]): Promise<readonly ControlItem[]> {
    const { down, readerKey, block } = this.#pair;
    const answer = await down.ask(
      { method: 'POST', path: '/v2/claim', headers: headersFor(readerKey), body: encodeControl(items) },
      CONTROL_BYTES,
    );
    if (answer.status !== 200 || answer.bytes !== block.length + CONTROL_BYTES) {
      throw new Error(`a claim was answered by status ${answer.status} and ${answer.bytes} bytes`);
    }
    this.#acks = [];
    const said = parseControl(answer.tail);
    const lost = said.find((item) => item.type === 'problem' || (item.type === 'status' && item.state !== 'delivered'));
    if (lost) throw new Error(`the relay did not take an ack: ${JSON.stringify(lost)}`);
    return said;
  }
}

function headersFor(apiKey: string): Record<string, string> {
  return { authorization: `Bearer ${apiKey}`, 'content-type': OCTETS };
}
