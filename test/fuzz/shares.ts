/**
 * Every target, and how many inputs it gets in comparison with the others: about as many as it takes for each to have
 * a fair part of the time. A signature or a handshake costs a thousand times what a field costs.
 */
export const SHARES: Readonly<Record<string, number>> = {
  header: 1000,
  frame: 1000,
  records: 1000,
  idle: 200,
  'file-chunk': 400,
  zstd: 100,
  control: 400,
  receipt: 1000,
  'receipt-signed': 5,
  block: 8,
  'block-forged': 6,
  'slot-record': 100,
  keys: 8,
  json: 40,
  texts: 400,
  identity: 40,
  grant: 40,
  'grant-signed': 10,
  revocation: 40,
  'revocation-signed': 10,
  'key-statement': 40,
  'key-statement-signed': 10,
  roster: 30,
  'roster-signed': 8,
  registration: 40,
  'registration-signed': 8,
  'config-yaml': 3,
  config: 100,
  environment: 100,
  'profile-yaml': 3,
  'identity-file': 20,
  'kem-file': 20,
  'grant-file': 6,
  'api-key-file': 40,
  'stream-marks': 30,
  'run-state': 30,
  'peer-answer': 4,
  'log-record': 40,
  'tile-path': 400,
  bundle: 400,
  note: 100,
  'note-lines': 100,
  'verifier-key': 100,
  head: 200,
  'tlog-proof': 100,
  'add-checkpoint': 100,
  'log-receipt': 100,
  'log-receipt-signed': 10,
  'epoch-signed': 10,
  'journal-segment': 20,
  'checkpoint-signed': 10,
  'tlog-proof-signed': 10,
  http: 4,
};

/** How many of `inputs` inputs each of the targets gets; at least one. */
export function shareOut(inputs: number, targets: readonly string[]): ReadonlyMap<string, number> {
  const all = targets.reduce((sum, target) => sum + SHARES[target]!, 0);
  return new Map(targets.map((target) => [target, Math.max(1, Math.round((inputs * SHARES[target]!) / all))]));
}

/** How many inputs of a target share one look at the coverage, which costs about as much as a signature. */
export function batchOf(target: string): number {
  return Math.min(256, Math.max(8, 2 * SHARES[target]!));
}
