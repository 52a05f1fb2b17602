/** Where a client keeps what it was given (config) and what it remembers (state). */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `GHOSTPIPE_CONFIG_DIR`, else the XDG configuration folder: profiles and enrolled devices. */
export function configFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.GHOSTPIPE_CONFIG_DIR ?? join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'ghostpipe');
}

/** `GHOSTPIPE_STATE_DIR`, else the XDG state folder: rosters seen, runs, marks. */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.GHOSTPIPE_STATE_DIR ?? join(env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'ghostpipe');
}

/** Folder of an enrolled device inside a configuration folder. */
export function deviceFolder(config: string, device: string): string {
  return join(config, 'devices', device);
}
