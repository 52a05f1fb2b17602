/** Conduit rejects: what a receiver says of a block that it does not take. */
import type { Problem } from './problem.ts';

/** Why a receiver rejects a block: the closed list of conduit rejects, by their number on the wire. */
export const REJECT_CODES = [
  'cannot-open',
  'unknown-sender',
  'bad-signature',
  'replay',
  'sink-refused',
  'too-old',
  'unsupported',
  'incomplete',
] as const;

export type RejectCode = (typeof REJECT_CODES)[number];

/** The reject that tells the sender's side of the story for a block that `openBlock` refused. */
export function rejectCodeOf(problem: Problem): RejectCode {
  switch (problem.code) {
    case 'sender-unknown':
    case 'revoked':
      return 'unknown-sender';
    case 'signature-invalid':
      return 'bad-signature';
    case 'type-unsupported':
      return 'unsupported';
    default:
      return 'cannot-open';
  }
}
