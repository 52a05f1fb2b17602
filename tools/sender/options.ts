/** The options of paramant-sender: their help, and what they mean together. */
import { join, resolve } from 'node:path';
import { MAX_TTL_SECONDS } from '../../protocol/block.ts';
import { utf8 } from '../../protocol/bytes.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
import { toHex } from '../../protocol/text.ts';
import { CLIENT_OPTIONS, DAEMON_OPTIONS, LOG_RECEIPT_OPTION } from '../lib/client.ts';
import { type Arguments, type CommandSpec, integerOption, numberOption } from '../lib/command.ts';
import { OVERFLOWS, type Overflow } from './admission.ts';
import type { After } from './spool-entry.ts';

const DEFAULT_TTL_SECONDS = 3600;
const DEFAULT_SPOOL_MIB = 1024;
const MAX_SPOOL_MIB = 16_384;
const DEFAULT_SETTLE_SECONDS = 5;
const MIB = 1_048_576;

export const SENDER: CommandSpec = {
  name: 'paramant-sender',
  summary: 'seals readings on this host and sends one uniform block an interval through the relay',
  usage: '(--stdin | --file FILE... | --watch DIR) --device-id NAME [options]',
  options: {
    stdin: { type: 'boolean', help: 'one reading a line from standard input' },
    file: { type: 'string', multiple: true, value: 'FILE', help: 'send this file (may be given again)' },
    watch: { type: 'string', value: 'DIR', help: 'send each file of DIR when it is complete; also beside --stdin' },
    after: {
      type: 'string',
      value: 'WHAT',
      help: 'delivered files of DIR: move (to DIR/.sent, the default) or delete',
    },
    settle: {
      type: 'string',
      value: 'SECONDS',
      help: `a file that stood still for so long is complete (default ${DEFAULT_SETTLE_SECONDS})`,
    },
    interval: { type: 'string', value: 'SECONDS', help: "must be the sector profile's interval (default: that)" },
    to: { type: 'string', multiple: true, value: 'NAME', help: 'device or group, within the route of the roster' },
    once: { type: 'boolean', help: 'read to the end, send, wait for the delivery receipts, exit' },
    ttl: {
      type: 'string',
      value: 'SECONDS',
      help: `the relay destroys an unread block after this (default ${DEFAULT_TTL_SECONDS})`,
    },
    'max-views': {
      type: 'string',
      value: 'N',
      help: 'how many of the receivers may read a block (default: the route)',
    },
    'burn-at-claim': { type: 'boolean', help: 'destroy a block when it is claimed: at most once, may be lost' },
    spool: { type: 'string', value: 'DIR', help: 'encrypted records until they are delivered (default: state folder)' },
    'spool-limit': { type: 'string', value: 'MIB', help: `most that it holds (default ${DEFAULT_SPOOL_MIB})` },
    overflow: {
      type: 'string',
      value: 'POLICY',
      help: 'when it is full: pause the source (default), drop-oldest, or refuse new readings',
    },
    ...LOG_RECEIPT_OPTION,
    ...DAEMON_OPTIONS,
    ...CLIENT_OPTIONS,
  },
  examples: [
    'paramant-sender --stdin --interval 15 --device-id plc-A1 --relay iot',
    'echo "temperature 21.5" | paramant-sender --stdin --once --device-id plc-A1',
    'paramant-sender --file recipe.csv --device-id plc-A1 --to historian',
    'paramant-sender --watch outgoing --device-id plc-A1',
  ],
};

export interface SenderOptions {
  readonly stdin: boolean;
  /** Absolute paths. */
  readonly files: readonly string[];
  /** Absolute path of a folder. */
  readonly watch: string | undefined;
  readonly after: After;
  readonly settleMs: number;
  /** Names given with --to; none for the whole route. */
  readonly to: readonly string[];
  readonly once: boolean;
  readonly ttlSeconds: number;
  readonly burnAtClaim: boolean;
  /** Folder of the spool, or undefined for that of the state folder. */
  readonly spool: string | undefined;
  readonly spoolLimitBytes: number;
  readonly overflow: Overflow;
  /** Folder for log receipts, or undefined to keep none. */
  readonly logReceipts: string | undefined;
}

/** Reads what does not depend on the site; refuses `usage`. */
export function senderOptions(args: Arguments): SenderOptions {
  const files = args.texts('file').map((path) => resolve(path));
  const [watch, spool] = [args.text('watch'), args.text('spool')];
  const stdin = args.flag('stdin');
  if (files.length > 0 ? stdin || watch !== undefined : !stdin && watch === undefined) {
    throw new Problem('usage', 'give either --stdin or --file; --watch by itself or beside --stdin');
  }
  if (watch === undefined && (args.text('after') ?? args.text('settle')) !== undefined) {
    throw new Problem('usage', '--after and --settle belong to --watch');
  }
  const settleSeconds = numberOption(args, 'settle', 0, 86_400) ?? DEFAULT_SETTLE_SECONDS;
  return {
    stdin,
    files,
    watch: watch === undefined ? undefined : resolve(watch),
    after: oneOf(args, 'after', ['move', 'delete'] as const),
    settleMs: settleSeconds * 1000,
    to: args.texts('to'),
    once: args.flag('once'),
    ttlSeconds: integerOption(args, 'ttl', 1, MAX_TTL_SECONDS) ?? DEFAULT_TTL_SECONDS,
    burnAtClaim: args.flag('burn-at-claim'),
    spool: spool === undefined ? undefined : resolve(spool),
    spoolLimitBytes: (integerOption(args, 'spool-limit', 1, MAX_SPOOL_MIB) ?? DEFAULT_SPOOL_MIB) * MIB,
    overflow: oneOf(args, 'overflow', OVERFLOWS),
    logReceipts: args.text('log-receipts'),
  };
}

/** Refuses another interval than that of the sector profile. */
export function refuseOtherInterval(args: Arguments, profileMs: number): void {
  const seconds = numberOption(args, 'interval', 0.1, 3600);
  if (seconds !== undefined && Math.round(seconds * 1000) !== profileMs) {
    const fact = `--interval is ${seconds} s, the sector profile says ${profileMs / 1000} s`;
    throw new Problem('profile-mismatch', `${fact}: a device with its own rhythm would stand out`);
  }
}

/**
 * Folder of the spool of one device, by the digest of its DID, below `base`. It depends on what --to says, not on the
 * receivers behind it: when the operator changes the route, what waits goes to the new one.
 */
export function spoolFolder(engine: Engine, base: string, digest: Uint8Array, to: readonly string[]): string {
  const names = [...new Set(to)].sort().join('\n');
  const route = names === '' ? 'route' : `to-${toHex(engine.sha256(utf8(names)).subarray(0, 8))}`;
  return join(base, `${toHex(digest.subarray(0, 8))}-${route}`);
}

/** An option that is one of a few words, the first when it is left out. */
function oneOf<T extends string>(args: Arguments, name: string, words: readonly [T, ...T[]]): T {
  const text = args.text(name) ?? words[0];
  const found = words.find((word) => word === text);
  if (!found) throw new Problem('usage', `--${name} must be one of ${words.join(', ')}, not "${text}"`);
  return found;
}
