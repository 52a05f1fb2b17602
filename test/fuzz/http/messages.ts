/** Honest requests to begin with, each as the bytes that a client writes, and the changes that HTTP parsers stumble over. */
import { concat, utf8 } from '../../../protocol/bytes.ts';
import { canonicalBytes } from '../../../protocol/canonical.ts';
import { encodeControl } from '../../../protocol/control.ts';
import { ZONES, type Zone } from '../../../protocol/shapes.ts';
import { sealTo, sessionItem } from '../../fixtures/relay.ts';
import type { Site, SiteDevice } from '../../fixtures/site.ts';
import { bytesMutator } from '../mutate-bytes.ts';
import type { Random } from '../random.ts';
import type { Mutator } from '../target.ts';
import { AUTHORIZATIONS, HEADERS, LENGTHS, METHODS, PARTS, PATHS, QUERIES, TOKENS, VERSIONS } from './words.ts';

const OCTETS = 'application/octet-stream';
const JSON_TYPE = 'application/json';
/** Some requests in a row, or a header of one mebibyte. */
const MAX_MESSAGE_BYTES = 1_200_000;
const END_OF_HEAD = '\r\n\r\n';
const EPOCH = `/v2/ct/epochs/${'0f'.repeat(32)}`;

/** Calls of the audit log. */
const LOG_PATHS: readonly string[] = [
  '/checkpoint',
  '/tile/0/000.p/1',
  '/tile/1/x001/234',
  '/v2/ct/epoch?origin=relay',
  '/v2/ct/sth?size=1',
  '/v2/ct/sth/history',
  '/v2/ct/proof?index=0',
  `/v2/ct/proof?xfer=${'0f'.repeat(16)}`,
  '/v2/ct/consistency?from=0&to=1',
  '/v2/ct/feed.xml',
  `${EPOCH}/checkpoint`,
  `${EPOCH}/epoch`,
  `${EPOCH}/tail?index=1`,
  `${EPOCH}/tile/0/000.p/1`,
];
/** Those of its records. */
const RECORD_PATHS: readonly string[] = [
  '/tile/entries/000.p/1',
  '/v2/ct/log?from=0&limit=256',
  `${EPOCH}/tile/entries/000.p/1`,
];

/** What is fuzzed: the calls of a zone, or those of the audit log, which stand at the management listener. */
export const SURFACES = [...ZONES, 'log'] as const;
export type Surface = (typeof SURFACES)[number];

/** Whose listener has a surface. */
export function zoneOf(surface: Surface): Zone {
  return surface === 'log' ? 'management' : surface;
}

/** Requests of registered devices for a surface. */
export function seedRequests(site: Site, surface: Surface): Uint8Array[] {
  const [sender, reader] = [site.device('plc-A1'), site.device('historian')];
  const ask = (path: string, device?: SiteDevice) => message('GET', path, device);
  switch (surface) {
    case 'ot':
      return [
        message('POST', '/v2/inbound', sender, OCTETS, sealTo(sender, [reader])),
        message('POST', '/v2/did/register', sender, JSON_TYPE, canonicalBytes(sender.registration)),
        ask(`/v2/status/${'0f'.repeat(16)}`, sender),
        message('DELETE', `/v2/inbound/${'0f'.repeat(16)}`, sender),
        ask(`/v2/did/${reader.did}`, sender),
        ask('/v2/roster', sender),
      ];
    case 'it':
      return [
        message('POST', '/v2/claim', reader, OCTETS, encodeControl([sessionItem()])),
        message('POST', '/v2/ack', reader, OCTETS, encodeControl([sessionItem()])),
        ask(`/v2/outbound/${'0f'.repeat(32)}`, reader),
      ];
    case 'management':
      return [
        message('POST', '/v2/roster', undefined, JSON_TYPE, site.rosterBytes),
        message('POST', '/v2/revoke', undefined, JSON_TYPE, utf8('{}')),
        ask('/health'),
        ask('/metrics'),
        ask('/openapi.json'),
      ];
    case 'log':
      return [...LOG_PATHS.map((path) => ask(path)), ...RECORD_PATHS.map((path) => ask(path, site.device('auditor')))];
  }
}

function message(method: string, path: string, device?: SiteDevice, type?: string, body?: Uint8Array): Uint8Array {
  const lines = [`${method} ${path} HTTP/1.1`, 'host: relay'];
  if (device) lines.push(`authorization: Bearer ${device.apiKey}`);
  if (type) lines.push(`content-type: ${type}`);
  if (body) lines.push(`content-length: ${body.length}`);
  return concat(utf8(lines.join('\r\n') + END_OF_HEAD), body ?? new Uint8Array(0));
}

const mutateBytes = bytesMutator(TOKENS);

type HeadChange = (random: Random, lines: string[]) => string[];

const HEAD_CHANGES: readonly HeadChange[] = [
  requestLine((random, [, path, version]) => [random.pick(METHODS), path, version]),
  requestLine((random, [method, , version]) => [method, random.pick(PATHS), version]),
  requestLine((random, [method, path]) => [method, path, random.pick(VERSIONS)]),
  requestLine((random, [method, path, version]) => [method, target(random, path), version]),
  (random, lines) => lines.filter((line) => !line.startsWith(random.pick(['host', 'content', 'authorization']))),
  header('content-length', LENGTHS),
  header('authorization', AUTHORIZATIONS),
  (random, lines) => [...lines, `content-length: ${random.pick(LENGTHS)}`],
  (random, [first = '', ...rest]) => [first, ...rest, random.pick(HEADERS)],
  (random, [first = '', ...rest]) => [first, random.pick(HEADERS), ...rest],
  (random, [first = '', ...rest]) => [first, ...rest, random.pick(rest.length > 0 ? rest : HEADERS)],
];

/** Changes head or body of a request, sends it in chunks, cuts it, or sends several at once. */
export const mutateMessage: Mutator = (random, input, other) =>
  changed(random, input, other).slice(0, MAX_MESSAGE_BYTES);

function changed(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  switch (random.below(10)) {
    case 0:
      return mutateBytes(random, input, other);
    case 1:
      return input.slice(0, random.below(input.length + 1));
    case 2:
      return concat(...Array.from({ length: 2 + random.below(12) }, () => (random.once(2) ? input : other)));
    case 3:
      return chunked(random, input);
    case 4:
    case 5:
      return withBody(random, input, mutateBytes(random, bodyOf(input), bodyOf(other)));
    default:
      return withHead(random, input);
  }
}

/** Another query, or part of a path. */
function target(random: Random, path = ''): string {
  const [place = '', query = ''] = path.split('?');
  if (random.once(2)) return `${place}?${random.pick(QUERIES)}${random.once(2) ? `&${query}` : ''}`;
  const parts = place.split('/');
  parts[random.below(parts.length)] = random.pick(PARTS);
  return parts.join('/') + (query && `?${query}`);
}

function requestLine(change: (random: Random, words: string[]) => (string | undefined)[]): HeadChange {
  return (random, [first = '', ...rest]) => [change(random, first.split(' ')).join(' '), ...rest];
}

/** Another value for a header. */
function header(name: string, values: readonly string[]): HeadChange {
  return (random, lines) => [...lines.filter((line) => !line.startsWith(name)), `${name}: ${random.pick(values)}`];
}

function withHead(random: Random, input: Uint8Array): Uint8Array {
  let lines = headOf(input).split('\r\n');
  for (let left = 1 + random.below(3); left > 0; left--) lines = random.pick(HEAD_CHANGES)(random, lines);
  return concat(latin1(lines.join(random.once(12) ? '\n' : '\r\n') + END_OF_HEAD), bodyOf(input));
}

/** Another body, three times in four with a true content-length. */
function withBody(random: Random, input: Uint8Array, body: Uint8Array): Uint8Array {
  const head = headOf(input);
  const told = random.once(4) ? head : head.replace(/^content-length: .*$/m, `content-length: ${body.length}`);
  return concat(latin1(told + END_OF_HEAD), body);
}

/** The body in chunks, honest or with a size that is not one. */
function chunked(random: Random, input: Uint8Array): Uint8Array {
  const head = headOf(input).replace(/\r\ncontent-length: .*/, '');
  const parts: Uint8Array[] = [latin1(`${head}\r\ntransfer-encoding: chunked${END_OF_HEAD}`)];
  const body = bodyOf(input);
  for (let at = 0, chunks = 0; at < body.length && chunks < 64; chunks++) {
    const piece = body.subarray(at, at + 1 + random.below(body.length));
    const size = random.once(6)
      ? random.pick(['', 'g', '-1', 'fffffffffffffffff', '0x5', '5;x=y', ' 5'])
      : piece.length.toString(16);
    parts.push(latin1(`${size}\r\n`), piece, latin1(random.once(12) ? '' : '\r\n'));
    at += piece.length;
  }
  return concat(...parts, latin1(random.pick(['0\r\n\r\n', '0\r\n\r\n', '0\r\nx: y\r\n\r\n', '', '0\r\n'])));
}

function headOf(input: Uint8Array): string {
  return Buffer.from(input.subarray(0, endOfHead(input))).toString('latin1');
}

function bodyOf(input: Uint8Array): Uint8Array {
  return input.subarray(endOfHead(input) + END_OF_HEAD.length);
}

function endOfHead(input: Uint8Array): number {
  const at = Buffer.from(input.buffer, input.byteOffset, input.length).indexOf(END_OF_HEAD);
  return at === -1 ? input.length : at;
}

function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}
