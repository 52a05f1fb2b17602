/** Sabotage of the software: one text in one source file becomes another, in the memory of one process only. */

export interface Mutation {
  /** Path from the project's folder. */
  readonly file: string;
  /** Text that stands in it; the first place counts. */
  readonly find: string;
  readonly replace: string;
}

/** Where a process that is started with the mutator finds its mutations, as JSON. */
export const MUTATIONS_VARIABLE = 'GHOSTPIPE_EVIDENCE_MUTATIONS';
