/** A FAT file system inside a file, written and read by mtools: no root, no mount, no loop device. */
import { execFileSync } from 'node:child_process';
import { Problem } from '../../../protocol/problem.ts';
import { CARD_LABEL } from '../../../protocol/site-config.ts';
import type { Partition } from './partition.ts';

const TIMEOUT_MS = 60_000;
const SECTOR = 512;

export class Fat {
  /** As mtools names a file system inside a file. */
  readonly #place: string;
  readonly #sectors: number;

  constructor(path: string, { offset, bytes }: Partition) {
    this.#place = `${path}@@${offset}`;
    this.#sectors = bytes / SECTOR;
  }

  /** Makes it anew and empty. Same size, same bytes: its serial number is fixed. */
  format(): void {
    const size = ['-T', String(this.#sectors), '-h', '64', '-s', '32'];
    run('mformat', ['-i', this.#place, ...size, '-v', CARD_LABEL, '-N', '00000000', '::']);
  }

  write(name: string, bytes: Uint8Array): void {
    run('mcopy', ['-i', this.#place, '-', `::${name}`], bytes);
  }

  read(name: string): Uint8Array {
    return run('mtype', ['-i', this.#place, `::${name}`]);
  }
}

/** Refuses `tool-missing` with the package to install, and `internal` for what the tool refuses. */
function run(command: string, args: readonly string[], input?: Uint8Array): Uint8Array {
  try {
    // SOURCE_DATE_EPOCH: the times of the files; a card that has no history tells none.
    const env = { PATH: process.env.PATH, MTOOLS_SKIP_CHECK: '1', SOURCE_DATE_EPOCH: '315532800', TZ: 'UTC' };
    return execFileSync(command, [...args], {
      env,
      timeout: TIMEOUT_MS,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(input ? { input } : {}),
    });
  } catch (thrown) {
    const { code, stderr } = thrown as NodeJS.ErrnoException & { readonly stderr?: Buffer };
    if (code === 'ENOENT') {
      throw new Problem('tool-missing', `${command} is not installed: apt-get install mtools`);
    }
    throw new Problem(
      'state-failed',
      `${command}: ${
        String(stderr ?? code)
          .trim()
          .split('\n')[0]
      }`,
    );
  }
}
