/** Where an export is read from: a folder on a disk, or files that a browser was given. */
import type { EpochFiles, ReadFile } from './epoch-files.ts';

/** An epoch's place: its path below the export, empty for the root, and a way to look into it. */
export interface EpochPlace {
  readonly at: string;
  open(): EpochFiles;
}

export interface ExportSource {
  /** In the order of their paths. */
  readonly places: readonly EpochPlace[];
  /** A file of the export by its path; null when it is not there. Follows no link. */
  readonly read: ReadFile;
}
