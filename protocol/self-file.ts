/** The public part of the device `self`, by which an appliance tests its own relay: what the relay is told of it. */
import { type Of, object } from './shape.ts';
import { didText, verifyingKeys, version1 } from './shapes.ts';

export const SELF_NAME = 'self';

/** Most bytes of its file. */
export const SELF_FILE_LIMIT = 16_384;

/** `keys` are those of its identity, and sign its grant. */
export const selfFile = object({ v: version1, did: didText, keys: verifyingKeys });
export type SelfFile = Of<typeof selfFile>;
