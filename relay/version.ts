/** What this software calls itself: read from the project's package.json by pkg-types. */
import { fileURLToPath } from 'node:url';
import { readPackageJSON } from 'pkg-types';

export interface Version {
  readonly name: string;
  readonly version: string;
  /** The Node versions that package.json asks for. */
  readonly engines: string;
}

export async function readVersion(): Promise<Version> {
  const { name = '', version = '', engines } = await readPackageJSON(fileURLToPath(new URL('..', import.meta.url)));
  return { name, version, engines: engines?.node ?? '' };
}
