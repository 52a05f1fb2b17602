/** Verifies an export in a folder, on demand against an earlier one and against log receipts. */
import { exportFolder } from './export-folder.ts';
import { checkReceipts } from './receipt-check.ts';
import { checkSource, type ExportReport, type SourceCheckOptions } from './source-check.ts';
import type { Unseal } from './unseal.ts';

export type { EpochReport, ExportReport } from './source-check.ts';

export interface ExportCheckOptions extends Omit<SourceCheckOptions, 'source' | 'earlier' | 'receipts'> {
  /** Folder of the export. */
  readonly folder: string;
  /** Folder of an export that was made earlier. */
  readonly against?: string;
  /** Opens what is sealed. */
  readonly unseal?: Unseal;
  /** Folder of log receipts. */
  readonly receipts?: string;
}

/** Verifies an export; refuses only what is no export at all (`file-invalid`, `log-missing`). */
export function checkExport({ folder, against, unseal, receipts, ...options }: ExportCheckOptions): ExportReport {
  return checkSource({
    ...options,
    source: exportFolder(folder, unseal),
    ...(against === undefined ? {} : { earlier: exportFolder(against) }),
    ...(receipts === undefined
      ? {}
      : { receipts: (epochs, findings) => checkReceipts(options.engine, receipts, epochs, findings) }),
  });
}
