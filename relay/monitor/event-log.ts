/**
 * The relay's log: one JSON object a line on stderr. Strangers are told nothing, so the exact cause of each refusal
 * stands here. Never in it: keys, payload, ciphertext, hashes of blocks.
 */
import pino from 'pino';
import type { RelayConfig } from '../../protocol/config.ts';
import type { Problem } from '../../protocol/problem.ts';

export type Log = pino.Logger;

/** Fields that no line may carry, whoever adds it by mistake. */
const SECRETS = ['authorization', 'apiKey', 'licenceKey', 'seed', 'ackSecret', 'key'];

/** A log at `level`; `destination` is for tests. */
export function makeLog(
  level: RelayConfig['logLevel'],
  destination: pino.DestinationStream = pino.destination(2),
): Log {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`]);
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: paths }, destination);
}

/**
 * What was wrong with a document from outside, in one phrase. Of a wrong shape only the code: the detail quotes names and
 * values, which may be a secret that somebody sent by mistake.
 */
export function documentFault({ code, detail }: Problem): string {
  return code === 'schema-invalid' ? code : `${code}: ${detail}`;
}
