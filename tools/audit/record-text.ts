/** Log records in lines of text for people. */
import { SIGNATURE_ALGORITHMS } from '../../protocol/engine/engine.ts';
import type { LogEvent } from '../../protocol/log-record.ts';
import { printable } from '../lib/printable.ts';

/** Signatures and keys are longer, and say nothing to a reader. */
const MAX_VALUE_CHARACTERS = Math.ceil((SIGNATURE_ALGORITHMS.ed25519.publicKeyBytes * 4) / 3);

/** A record as one line: index, time, action, result, who, and what. */
export function recordLine({ act, i, obj, res, src, t }: LogEvent): string {
  const parts = Object.entries(obj).map(([name, value]) => `${name}=${valueText(value)}`);
  const time = t <= 8.64e15 ? new Date(t).toISOString() : `${t} ms`;
  return printable([`${i}`, time, act, res, `${src.k} ${src.id}`, ...parts].join('  '), 2000);
}

function valueText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return short(String(value));
  return `{${Object.entries(value)
    .map(([name, part]) => `${name}=${valueText(part)}`)
    .join(' ')}}`;
}

function short(text: string): string {
  return text.length > 2 * MAX_VALUE_CHARACTERS ? `${text.slice(0, 12)}(${text.length} characters)` : text;
}
