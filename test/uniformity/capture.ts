/** What a watcher in the middle of a wire keeps (dumpcap), and what tshark reads in it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Host } from '../fixtures/network-namespaces.ts';
import type { Ending } from '../fixtures/relay-process.ts';

/** Bytes of each packet that timing takes: the heads of Ethernet, IP and TCP. */
export const HEADS_ONLY = 128;
const WHOLE = 65_535;
const CRLF_BYTES = 2;

/** A capture that runs until `stop`. */
export class Capture {
  readonly file: string;
  readonly #child: ReturnType<typeof spawn>;
  readonly #ended: Promise<unknown>;
  readonly #listening: Promise<unknown>;
  #words = '';

  /** Listens in the middle of a wire and keeps `bytes` of each packet, all when left out. */
  constructor(ending: Ending, middle: Host, file: string, bytes = WHOLE) {
    this.file = file;
    const dumpcap = ['dumpcap', '-i', 'port-a', '-f', 'tcp', '-s', String(bytes), '-B', '32', '-w', file];
    const [program, ...words] = [...middle.through, ...dumpcap];
    this.#child = spawn(program!, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#ended = once(this.#child, 'close');
    this.#listening = new Promise((resolve, reject) => {
      this.#child.stderr!.on('data', (chunk) => {
        this.#words = `${this.#words}${chunk}`.slice(-2000);
        if (this.#words.includes('File:')) resolve(undefined);
      });
      this.#ended.then(() => reject(new Error(`dumpcap ended: ${this.#words}`)), reject);
    });
    this.#listening.catch(() => {}); // whoever waits for it hears of it
    ending.teardown(async () => {
      this.#child.kill('SIGKILL');
      await this.#ended;
    });
  }

  /** Resolves when packets are kept. */
  async listens(): Promise<void> {
    await this.#listening;
  }

  /** Ends it; throws when it missed a packet, since nothing can be said of what was not seen. */
  async stop(): Promise<void> {
    this.#child.kill('SIGINT');
    await this.#ended;
    const [, dropped] = /received\/dropped on interface '[^']*': \d+\/(\d+)/.exec(this.#words) ?? [];
    if (dropped !== '0') throw new Error(`${this.file} is not whole: ${dropped ?? 'unknown'} packets were dropped`);
  }
}

/** Time (s since 1970), source address and TCP payload bytes of each packet, into a file of tab-separated values. */
export async function writePackets(capture: string, file: string): Promise<void> {
  const child = tshark(capture, ['frame.time_epoch', 'ip.src', 'tcp.len'], ['--disable-protocol', 'tls']);
  const out = createWriteStream(file);
  child.stdout!.pipe(out);
  await Promise.all([done(child), once(out, 'close')]);
}

/** One packet in which TLS records end, read with the keys. */
export interface RecordRow {
  readonly timeMs: number;
  readonly connection: number;
  readonly source: string;
  /** Content type of each record as it stands inside the encryption (23 is data), and bytes on the wire without head. */
  readonly types: readonly number[];
  readonly lengths: readonly number[];
  /** Of a request or answer that this packet completes: bytes of its first line and header lines. */
  readonly headerBytes: number | null;
}

const RECORD_FIELDS = [
  'frame.time_epoch',
  'tcp.stream',
  'ip.src',
  'tls.record.content_type',
  'tls.record.length',
  'http.request.method',
  'http.request.uri',
  'http.request.version',
  'http.request.line',
  'http.response.version',
  'http.response.code',
  'http.response.phrase',
  'http.response.line',
];

/** Everything that ends in each packet of a whole capture. */
export async function readRecords(capture: string, keyLog: string): Promise<RecordRow[]> {
  const options = [
    '-o',
    `tls.keylog_file:${keyLog}`,
    '-o',
    'tcp.reassemble_out_of_order:TRUE',
    '-Y',
    'tls.record.length',
  ];
  const child = tshark(capture, RECORD_FIELDS, options);
  const rows: RecordRow[] = [];
  const reading = (async () => {
    for await (const line of createInterface(child.stdout!)) rows.push(recordRow(line.split('\t')));
  })();
  await Promise.all([done(child), reading]);
  return rows;
}

function recordRow(fields: readonly string[]): RecordRow {
  const [time, stream, source, types, lengths, method, uri, version, lines, answerVersion, code, phrase, answerLines] =
    fields as [string, ...string[]];
  const numbers = (text = '') => (text === '' ? [] : text.split('|').map(Number));
  const first = method ? `${method} ${uri} ${version}` : code ? `${answerVersion} ${code} ${phrase}` : null;
  return {
    timeMs: Number(time) * 1000,
    connection: Number(stream),
    source: source!,
    types: numbers(types),
    lengths: numbers(lengths),
    headerBytes: first === null ? null : headerBytes(first, lines || answerLines || ''),
  };
}

/** Of the first line, the header lines as tshark gives them, and the empty line behind. */
function headerBytes(first: string, lines: string): number {
  const headers = lines.split('|').map((line) => line.replace(/\\r\\n$/, ''));
  return [first, ...headers, ''].reduce((sum, line) => sum + line.length + CRLF_BYTES, 0);
}

function tshark(capture: string, fields: readonly string[], options: readonly string[]) {
  const asked = fields.flatMap((field) => ['-e', field]);
  const words = ['-r', capture, '-T', 'fields', '-E', 'aggregator=|', ...options, ...asked];
  return spawn('tshark', words, { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function done(child: ReturnType<typeof spawn>): Promise<void> {
  let words = '';
  child.stderr!.on('data', (chunk) => {
    words = `${words}${chunk}`.slice(-2000);
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`tshark ended with ${code}: ${words}`);
}
