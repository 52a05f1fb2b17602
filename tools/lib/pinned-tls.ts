/**
 * The one place that opens TLS connections to a relay.
 *
 * There is no certificate authority: the peer's public key must be one of the pinned ones, and that is all that
 * counts. Node's own verification is off because a pin needs no dates (a clock at 1970 or 2100 changes nothing) and
 * no names; the pin is compared in `secureConnect`, and the socket is destroyed before a byte of HTTP on a mismatch.
 * No proxy, no redirect and no session resumption ever stands between.
 */
import type { X509Certificate } from 'node:crypto';
import https from 'node:https';
import { isIP } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { Problem } from '../../protocol/problem.ts';
import { pinOf } from '../../protocol/text.ts';

/** Most time for a connection to come about. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Where to connect and who must answer. */
export interface PinnedPeer {
  readonly host: string;
  readonly port: number;
  /** `sha256/` pins of the SubjectPublicKeyInfo; one of them must match. */
  readonly pins: readonly string[];
}

/** Host and port of a profile's URL. */
export function peerOf(url: string, pins: readonly string[]): PinnedPeer {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443), pins };
}

/**
 * An agent for node:https whose every connection is pinned; it keeps at most `maxSockets` of them alive. A connection
 * that does not come about within `patienceMs`, at most 10 s, is given up.
 */
export function pinnedAgent(peer: PinnedPeer, maxSockets: number, patienceMs = CONNECT_TIMEOUT_MS): https.Agent {
  return new PinnedAgent(peer, maxSockets, Math.min(patienceMs, CONNECT_TIMEOUT_MS));
}

/**
 * A connected and pinned socket, TLS 1.3 with X25519MLKEM768 and an ML-DSA-65 certificate. Refuses `pin-mismatch`,
 * `tls-group` and `relay-unreachable`, that also when it takes longer than `patienceMs`. `look` is shown the certificate,
 * which the socket forgets soon after the handshake.
 */
export function connectPinned(
  peer: PinnedPeer,
  patienceMs = CONNECT_TIMEOUT_MS,
  look: (certificate: X509Certificate) => void = () => {},
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host: peer.host,
      port: peer.port,
      servername: isIP(peer.host) ? '' : peer.host,
      minVersion: 'TLSv1.3',
      ecdhCurve: 'X25519MLKEM768',
      sigalgs: 'mldsa65',
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    const refuse = (problem: Problem): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(problem);
    };
    const onTimeout = (): void => refuse(unreachable(peer, `no answer in ${patienceMs / 1000} s`));
    const onError = (error: Error): void => refuse(connectProblem(peer, error));
    const timer = setTimeout(onTimeout, patienceMs); // not of the socket: that one begins anew with each byte
    socket.on('error', onError);
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate()!;
      const actual = pinOf(certificate.publicKey.export({ format: 'der', type: 'spki' }));
      if (!peer.pins.includes(actual)) {
        return refuse(new Problem('pin-mismatch', `the peer's key is ${actual}, expected ${peer.pins.join(' or ')}`));
      }
      clearTimeout(timer);
      socket.off('error', onError);
      look(certificate);
      resolve(socket);
    });
  });
}

class PinnedAgent extends https.Agent {
  readonly #peer: PinnedPeer;
  readonly #patienceMs: number;

  constructor(peer: PinnedPeer, maxSockets: number, patienceMs: number) {
    super({ keepAlive: true, maxSockets, maxCachedSessions: 0 });
    this.#peer = peer;
    this.#patienceMs = patienceMs;
  }

  /** node:http waits for the callback, so no request byte is written before the pin held. */
  override createConnection(_options: unknown, callback?: (error: Error | null, socket: TLSSocket) => void): undefined {
    connectPinned(this.#peer, this.#patienceMs).then(
      (socket) => callback?.(null, socket),
      (problem) => callback?.(problem, undefined as never),
    );
    return undefined;
  }
}

function connectProblem(peer: PinnedPeer, error: NodeJS.ErrnoException): Problem {
  const handshake = /^(ERR_SSL|ERR_TLS|EPROTO)/.test(error.code ?? '');
  if (handshake) return new Problem('tls-group', `${peer.host}:${peer.port} refused the handshake (${error.code})`);
  return unreachable(peer, error.code ?? error.message);
}

function unreachable(peer: PinnedPeer, why: string): Problem {
  return new Problem('relay-unreachable', `${peer.host}:${peer.port} cannot be reached (${why})`);
}
