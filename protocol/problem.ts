/**
 * The one error class of the product and its closed catalogue.
 *
 * A `code` is stable for ever and is what programs compare. `detail` gives the fact with both values. `mend` says
 * what the reader can do. The table in docs/problems.md is generated from `PROBLEMS`.
 */

interface Entry {
  /** HTTP status when the relay answers with it (RFC 9457); 0 when it is never sent over the wire. */
  readonly status: number;
  /** One sentence that says how to mend it. */
  readonly mend: string;
}

export const PROBLEMS = {
  // Encodings and documents
  'encoding-invalid': { status: 400, mend: 'Send the text exactly as the tool that made it printed it.' },
  'json-invalid': { status: 400, mend: 'Check the document with a JSON parser; it must be UTF-8 and within its size.' },
  'json-not-canonical': { status: 400, mend: 'Send the document byte for byte as it was signed (RFC 8785).' },
  'schema-invalid': { status: 400, mend: 'Correct the named field; docs/formats.md lists those of each document.' },
  'signature-invalid': { status: 403, mend: 'Get the document again; it was changed, or signed by another key.' },

  // Block and envelope
  'block-size': { status: 413, mend: 'Send exactly one block of the size in the sector profile.' },
  'block-invalid': { status: 400, mend: 'Send a block made by paramant-sender of this major version.' },
  'hash-mismatch': { status: 400, mend: 'Send the block again; it was changed on the way.' },
  'kem-invalid': { status: 400, mend: 'Renew the key statement of the device whose key was refused.' },
  'no-stanza': { status: 403, mend: 'The block is not for this device; check the route in the roster.' },
  'wrap-invalid': {
    status: 400,
    mend: 'It was damaged, or is for another key; the sender will pack its records anew.',
  },
  'commit-mismatch': {
    status: 400,
    mend: 'The block does not commit to one content key; report its sender to the operator.',
  },
  'body-invalid': { status: 400, mend: 'The block was changed after sealing; the sender will pack its records anew.' },
  'frame-invalid': { status: 400, mend: 'Update sender and receiver to the same major version.' },
  'padding-invalid': { status: 400, mend: 'Update the sender; padding must be zero.' },
  'payload-invalid': { status: 400, mend: 'Update the sender; what it packed does not decode within its bounds.' },
  'type-unsupported': { status: 400, mend: 'Update the receiver, or send a type that it knows.' },
  'sender-unknown': {
    status: 403,
    mend: 'Enrol the sender with ghostpipe-provision, or give this receiver the newest roster.',
  },
  'ack-commit-mismatch': { status: 400, mend: 'The block cannot be acknowledged; report its sender to the operator.' },
  'control-invalid': { status: 400, mend: 'Update the client; its control frame does not parse.' },
  'receipt-invalid': { status: 400, mend: 'Update the receiver; its delivery receipt does not parse or verify.' },

  // Audit log
  'log-record-invalid': {
    status: 400,
    mend: 'Get the log record byte for byte as it stands in the log; update this program if the log is newer.',
  },
  'log-tile-invalid': { status: 400, mend: 'Get the tile or bundle again; docs/formats.md says what each one holds.' },
  'log-note-invalid': { status: 400, mend: 'Get the signed text again and hand it on as it is, byte for byte.' },
  'log-checkpoint-invalid': {
    status: 400,
    mend: 'Get the checkpoint again from the relay; both post-quantum lines of one log must stand under it.',
  },
  'log-receipt-invalid': { status: 400, mend: 'Get the log receipt again from the relay; keep it byte for byte.' },
  'log-receipt-missing': {
    status: 0,
    mend: 'Update the relay, or look at its log: it took a block and promised no record of it. Nothing is lost.',
  },
  'log-receipt-unproved': {
    status: 0,
    mend: 'Keep the log receipt for the auditor: the relay promised a record and shows no signed head that has it.',
  },
  'log-receipt-contradicted': {
    status: 0,
    mend: 'Keep log receipt and proof for the auditor: they show that the relay, or who signs for it, lies.',
  },
  'log-epoch-invalid': {
    status: 403,
    mend: 'Check logPin in the relay profile; the epoch statement must be signed by the key that it names.',
  },
  'proof-invalid': {
    status: 400,
    mend: 'Get the proof again; if it fails once more keep proof and checkpoint, they are evidence against the log.',
  },
  'log-missing': {
    status: 404,
    mend: 'Get the export again, or the named part of it; a checkpoint or a later file needs what is not there.',
  },
  'log-export-invalid': {
    status: 0,
    mend: 'Get the export again from the relay; what stands in it is not what belongs there.',
  },
  'log-rolled-back': {
    status: 0,
    mend: 'Keep both exports and ask the operator: the later one holds less of the log than the earlier one.',
  },
  'log-forked': {
    status: 409,
    mend: 'Keep both exports, they are evidence: the relay signed two histories where only one can be.',
  },
  'log-sealed': { status: 0, mend: 'Give --auditor-key FILE: the secret half of the key that it is sealed to.' },
  'target-unusable': { status: 0, mend: 'Give a folder, or as root a free stick with ext4, FAT or exFAT and room.' },

  // Identity and site
  'did-invalid': { status: 400, mend: 'A device identifier is did:paramant: and a base58btc SHA-256 multihash.' },
  'did-mismatch': { status: 403, mend: 'The keys do not belong to this identifier; get the device document again.' },
  'statement-older': {
    status: 409,
    mend: 'Use the newest key statement; an older generation is never accepted again.',
  },
  'operator-mismatch': {
    status: 403,
    mend: 'Check operatorKeyHash: the document is signed by the operator of another site.',
  },
  'site-mismatch': { status: 403, mend: 'Check siteId: the document belongs to another site.' },
  'roster-older': { status: 409, mend: 'Publish a roster with a higher version; versions only grow.' },
  'not-in-roster': { status: 403, mend: 'Publish the roster that lists this device, then try again.' },
  'profile-mismatch': {
    status: 409,
    mend: 'Fetch the newest roster: block size and interval are one profile of the whole sector.',
  },
  revoked: { status: 403, mend: 'The operator revoked this device or key; enrol it anew with ghostpipe-provision.' },

  // Relay
  'not-available': { status: 404, mend: 'Check the address, the API key and the zone; the relay does not say which.' },
  'slots-full': {
    status: 503,
    mend: 'Wait for Retry-After; every slot of the relay holds a block that is not delivered yet.',
  },
  'quota-exceeded': { status: 503, mend: 'Wait for Retry-After; this device, or its zone, holds as many as it may.' },
  'log-full': {
    status: 503,
    mend: 'Wait for Retry-After; the audit log takes so many records in a minute, by the quantum of the sector profile.',
  },
  'no-recipient': {
    status: 409,
    mend: 'Start the receiver: no stanza belongs to a device that is registered at the relay now.',
  },
  'not-routed': { status: 403, mend: 'Add the route to the roster: this sender has none to that recipient.' },
  'views-exceeded': { status: 400, mend: 'Ask for at most as many views as the block has recipients.' },
  'ttl-exceeded': { status: 400, mend: 'Ask for a shorter time to live; the limit stands in the relay configuration.' },
  'ack-invalid': { status: 403, mend: 'Only who opened the block can acknowledge it; claim it again.' },
  'lease-expired': { status: 409, mend: 'Claim the block again; its lease ended before the reader did.' },
  'range-invalid': { status: 416, mend: 'Ask for one byte range inside the block.' },
  'body-timeout': { status: 408, mend: 'Send the whole body within the time limit of the relay.' },
  'body-incomplete': { status: 400, mend: 'Send exactly as many bytes as content-length says.' },
  'body-too-large': { status: 413, mend: 'Send a smaller body; docs/formats.md gives the limit of each call.' },
  'media-type': { status: 415, mend: 'Use the content type that /openapi.json gives for this call.' },
  'method-not-allowed': { status: 405, mend: 'Use the method that /openapi.json gives for this call.' },
  'not-ready': { status: 503, mend: 'Wait until /health says ready, or mend the reason that it gives.' },
  'audit-unavailable': { status: 503, mend: 'Wait for Retry-After; the audit log must reach its stick first.' },
  'key-revocation-required': { status: 409, mend: 'Use a revocation signed by the operator or by the device itself.' },
  'store-not-ram': {
    status: 0,
    mend: 'Give the store a folder on a tmpfs, as /dev/shm or /run are; blocks never go to a disk.',
  },
  'swap-on': { status: 0, mend: 'Turn swap off on this host (swapoff -a); it would write blocks to a disk.' },
  'store-in-use': { status: 0, mend: 'Stop the other relay, or give this one another folder for its store.' },
  'store-failed': { status: 0, mend: 'Give the store a folder with room for every slot, or configure fewer slots.' },
  internal: { status: 500, mend: 'Read the log of the relay; this is a fault of the software.' },

  // Images
  'image-package-missing': { status: 0, mend: 'Use a mirror that still has it, or update the locks.' },
  'image-no-space': { status: 0, mend: 'Make room on that disk, or give another folder with --out.' },
  'image-build-failed': { status: 0, mend: 'Read what the named program said; nothing was left as a finished image.' },
  'image-invalid': {
    status: 0,
    mend: 'Get image and manifest of the release again; write no card with this one.',
  },
  'image-not-reproduced': {
    status: 0,
    mend: 'Look at the named file in both builds; release nothing that cannot be built again.',
  },

  // Clients
  usage: { status: 0, mend: 'Run the command with --help.' },
  'already-exists': {
    status: 0,
    mend: 'Choose another name or folder, or remove what stands there; it is never overwritten.',
  },
  'config-invalid': { status: 0, mend: 'Correct the named line of the configuration file.' },
  'config-missing': { status: 0, mend: 'Give the file with --config, or make it with ghostpipe-provision.' },
  'profile-missing': {
    status: 0,
    mend: 'Get the relay profile from the operator: ghostpipe-provision device writes it.',
  },
  'key-missing': { status: 0, mend: 'Give the API key with --key-file or GHOSTPIPE_KEY, or enrol the device.' },
  'identity-missing': {
    status: 0,
    mend: 'Enrol the device with ghostpipe-provision device, and copy its folder to this machine.',
  },
  'permissions-open': {
    status: 0,
    mend: 'Take it away from other users: chmod 600 FILE, chmod 700 FOLDER; it must belong to who runs the program.',
  },
  'file-invalid': { status: 0, mend: 'Restore the file from its origin; it cannot be read as what it should be.' },
  'pin-mismatch': {
    status: 0,
    mend: 'Somebody else answers at this address, or the relay identity changed; ask the operator for its pin.',
  },
  'tls-group': {
    status: 0,
    mend: 'The peer does not speak TLS 1.3 with X25519MLKEM768; it is not a Ghost Pipe data listener.',
  },
  'relay-unreachable': {
    status: 0,
    mend: 'Check the cable, the address and the firewall between this host and the relay.',
  },
  'relay-answer-invalid': {
    status: 0,
    mend: 'The relay answered with something that its protocol does not allow; check its version.',
  },
  'redirect-refused': { status: 0, mend: 'Look what answers in place of the relay, which never redirects.' },
  'proxy-refused': { status: 0, mend: 'Unset the proxy variables for this host; the relay is reached directly.' },
  'sink-failed': {
    status: 0,
    mend: 'Mend the place that the readings go to; the block stays at the relay until it works.',
  },
  'state-failed': {
    status: 0,
    mend: 'Make the state folder writable and give it room; nothing is acknowledged or let go of meanwhile.',
  },
  'spool-full': { status: 0, mend: 'Mend the link or the receiver; the sender holds as many records as it may.' },
  'spool-failed': {
    status: 0,
    mend: 'Make room on the disk of the spool, or mend it; the sender goes on by itself when it can write again.',
  },
  'spool-damaged': { status: 0, mend: 'Look at the disk of the spool; the sender goes on with all that is whole.' },
  'spool-in-use': {
    status: 0,
    mend: 'Stop the other process of this device, or give this one a spool or state folder of its own.',
  },
  'spool-older': {
    status: 0,
    mend: 'Start the sender again: it begins a new run and sends what its spool holds; never restore a spool from a backup.',
  },
  'file-not-sent': { status: 0, mend: 'Put the file in place again, whole and readable, to have it sent.' },
  'evidence-invalid': {
    status: 0,
    mend: 'Make the evidence anew with ghostpipe-evidence run; what does not verify counts for nothing.',
  },
  // The appliance
  'card-missing': { status: 0, mend: 'Write the site into the image: ghostpipe-provision image; then flash it again.' },
  'card-invalid': {
    status: 0,
    mend: 'The card is damaged or half written: make it again with ghostpipe-provision image.',
  },
  'board-mismatch': {
    status: 0,
    mend: 'Flash the image of this board, or correct "board" in site.yaml and make it again.',
  },
  'interface-missing': { status: 0, mend: 'Plug the network adapter in, or correct "interfaces" in site.yaml.' },
  'not-an-image': { status: 0, mend: 'Give an image file (.img, not .zst) that npm run image made or a release has.' },
  'tool-missing': { status: 0, mend: 'Install the named tool and try again.' },
} as const satisfies Record<string, Entry>;

export type ProblemCode = keyof typeof PROBLEMS;

/** Codes with a status: a relay can answer with them, the others are of the tools alone. */
export type AnsweredCode = {
  [C in ProblemCode]: (typeof PROBLEMS)[C]['status'] extends 0 ? never : C;
}[ProblemCode];

/** Every refusal of the product: a stable code, the fact, and (for documents) the place in them. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  /** The fact, with both values where two differ. Never holds a secret. */
  readonly detail: string;
  /** Where in a document, as `devices[3].name`; empty when it is not about a document. */
  readonly path: string;

  constructor(code: ProblemCode, detail: string, path = '') {
    super(`${code}: ${detail}`);
    this.code = code;
    this.detail = detail;
    this.path = path;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }

  get mend(): string {
    return PROBLEMS[this.code].mend;
  }
}

/** The problem behind any thrown value: itself, or `internal` for what nobody foresaw. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  return new Problem('internal', thrown instanceof Error ? thrown.message : String(thrown));
}
