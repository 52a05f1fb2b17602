/** TLS 1.3 for the two kinds of listeners that speak it. No session resumption: each connection proves the key anew. */
import { constants } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import type { RelayIdentity } from '../identity.ts';

const HANDSHAKE_MS = 5000;

/**
 * `pq`: X25519MLKEM768 and ML-DSA-65 and nothing else, so that a peer without them fails in the handshake. `classic`:
 * an ECDSA certificate and the usual groups, for monitoring tools.
 */
export function tlsOptions(mode: 'pq' | 'classic', identity: RelayIdentity): ServerOptions {
  const { key, certificatePem } = mode === 'pq' ? identity.tls : identity.classic;
  const groups =
    mode === 'pq'
      ? { ecdhCurve: 'X25519MLKEM768', sigalgs: 'mldsa65' }
      : { ecdhCurve: 'X25519MLKEM768:X25519:P-256', sigalgs: 'ecdsa_secp256r1_sha256' };
  return {
    key: key.export({ format: 'pem', type: 'pkcs8' }),
    cert: certificatePem,
    minVersion: 'TLSv1.3',
    ...groups,
    ciphers: cipherOrder(hasAesInstructions(readCpuInfo())),
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_TICKET,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: HANDSHAKE_MS,
  };
}

/** AES-256-GCM first where the processor has instructions for it, ChaCha20-Poly1305 first elsewhere (a Pi 4). */
export function cipherOrder(aesInstructions: boolean): string {
  const ciphers = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];
  return (aesInstructions ? ciphers : ciphers.reverse()).join(':');
}

/** Whether `cpuInfo`, the text of /proc/cpuinfo, names AES among the features of the processor. */
export function hasAesInstructions(cpuInfo: string): boolean {
  return /^(flags|Features)\s*:.*\baes\b/m.test(cpuInfo);
}

function readCpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return ''; // not Linux: the order changes only the speed
  }
}
