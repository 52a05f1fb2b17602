/** nginx as the measure of the relay: dav into a folder in memory, TLS 1.3 with the relay's own kind of certificate. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../protocol/engine/engine.ts';
import { relayIdentity } from '../relay/identity.ts';
import { connectPinned, type PinnedPeer } from '../tools/lib/pinned-tls.ts';
import { CannotMeasure } from './figures.ts';
import { childrenOf } from './process-stat.ts';
import type { Unpacked } from './trixie.ts';

/** nginx and every library that it is linked to. */
export const NGINX_PACKAGES = [
  'nginx',
  'libssl3t64',
  'libc6',
  'libcrypt1',
  'libpcre2-8-0',
  'libzstd1',
  'zlib1g',
] as const;

const MEMORY_FOLDER = '/dev/shm';
const TMPFS = 0x01021994;
/** What nginx makes folders for at its start, used or not. */
const UNUSED = ['proxy', 'fastcgi', 'uwsgi', 'scgi'];
const START_MS = 10_000;

export interface Nginx {
  readonly peer: PinnedPeer;
  /** All its processes. */
  readonly pids: readonly number[];
  close(): Promise<void>;
}

/** Starts nginx on loopback. `cipher` is the only one that it takes. Throws `CannotMeasure`. */
export async function startNginx(engine: Engine, unpacked: Unpacked, cipher: string): Promise<Nginx> {
  if (statfsSync(MEMORY_FOLDER).type !== TMPFS) throw new CannotMeasure(`${MEMORY_FOLDER} is not in memory`);
  const folder = mkdtempSync(join(MEMORY_FOLDER, 'ghostpipe-bench-'));
  const port = await freePort();
  const identity = relayIdentity(engine, engine.random(32), 'nginx').tls;
  writeFileSync(join(folder, 'key.pem'), identity.key.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  writeFileSync(join(folder, 'certificate.pem'), identity.certificatePem);
  writeFileSync(join(folder, 'nginx.conf'), configuration(folder, port, cipher));
  for (const name of ['blocks', 'body']) mkdirSync(join(folder, name));
  const [program, ...words] = unpacked.command('usr/sbin/nginx');
  const child = spawn(program, [...words, '-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-2000);
  });
  const close = async (): Promise<void> => {
    await stop(child);
    rmSync(folder, { recursive: true, force: true });
  };
  const peer = { host: '127.0.0.1', port, pins: [identity.pin] };
  try {
    await untilReady(child, peer);
  } catch {
    await close();
    throw new CannotMeasure(`nginx does not answer: ${said.trim()}`);
  }
  return { peer, pids: [child.pid!, ...childrenOf(child.pid!)], close };
}

function configuration(folder: string, port: number, cipher: string): string {
  const { uid, username } = userInfo();
  return `
daemon off;
pid nginx.pid;
worker_processes auto;
${uid === 0 ? `user ${username} ${username};` : ''}
events { worker_connections 256; }
http {
  access_log off;
  client_max_body_size 32m;
  client_body_temp_path body;
${UNUSED.map((name) => `  ${name}_temp_path body;`).join('\n')}
  keepalive_requests 1000000;
  server {
    listen 127.0.0.1:${port} ssl;
    root ${folder}/blocks;
    ssl_certificate certificate.pem;
    ssl_certificate_key key.pem;
    ssl_protocols TLSv1.3;
    ssl_ecdh_curve X25519MLKEM768;
    ssl_conf_command Ciphersuites ${cipher};
    ssl_session_tickets off;
    location / { dav_methods PUT; }
  }
}
`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilReady(child: ChildProcess, peer: PinnedPeer): Promise<void> {
  for (let waited = 0; child.exitCode === null; waited += 50) {
    try {
      (await connectPinned(peer)).destroy();
      return;
    } catch (thrown) {
      if (waited > START_MS) throw thrown;
      await sleep(50);
    }
  }
  throw new Error('it ended');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM'); // the master ends its workers
  await once(child, 'exit');
}
