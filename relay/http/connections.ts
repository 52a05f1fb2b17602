/**
 * The connections of one listener: how many there are, whose they are, and which one goes when there are too many.
 *
 * A connection belongs to its source address until a request on it shows the API key of a device, and to that device
 * from then on. Each of them has a share, and strangers have a quarter of the listener; beyond it the one that has too
 * much loses its oldest, first one that has not said a byte. A device's connection never makes room for a stranger's.
 */
import type { Socket } from 'node:net';
import { sourceOf } from './throttle.ts';

export interface ConnectionLimits {
  readonly connections: number;
  readonly connectionsPerPeer: number;
}

/** What part of a listener is for connections on which no device has shown its key. */
const STRANGERS = 1 / 4;

/** Why a connection was dropped: its source or device had too many, or all sources together. */
export type DropReason = 'share' | 'full';

interface Connection {
  readonly socket: Socket;
  /** The peer's address and port. */
  readonly place: string;
  readonly source: string;
  /** DID of the device that it belongs to; null while it is its source's. */
  device: string | null;
  /** How many requests came. */
  requests: number;
}

/** Connections by whom they belong to, the oldest first. */
type Holders = Map<string, Set<Connection>>;

export interface ConnectionEvents {
  dropped(reason: DropReason): void;
  /** A connection of this source ended before any request came: no handshake, no HTTP, or nothing at all. */
  silent(source: string): void;
}

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #events: ConnectionEvents;
  /** By place. */
  readonly #open = new Map<string, Connection>();
  readonly #ofSource: Holders = new Map();
  #strangers = 0;
  readonly #ofDevice: Holders = new Map();

  constructor(limits: ConnectionLimits, events: ConnectionEvents) {
    this.#limits = limits;
    this.#events = events;
  }

  /** Takes a connection that was just accepted; false when it is the one that had to go. */
  add(socket: Socket): boolean {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) {
      socket.destroy(); // its peer has gone already
      return false;
    }
    const place = placeOf(socket);
    const connection: Connection = { socket, place, source: sourceOf(remoteAddress), device: null, requests: 0 };
    this.#open.set(place, connection);
    this.#join(connection);
    socket.once('close', () => {
      if (this.#open.get(place) === connection) this.#open.delete(place);
      this.#leave(connection);
      if (connection.requests === 0) this.#events.silent(connection.source);
    });
    const { connections } = this.#limits;
    const full = this.#open.size > connections || this.#strangers > Math.ceil(connections * STRANGERS);
    if (full) this.#drop(this.#mostOfOneSource(), 'full');
    return this.#open.get(place) === connection;
  }

  /** Closes what has nothing under way, now; everything after `graceMs`. Called once, when no more are accepted. */
  close(graceMs: number): void {
    const end = (connections: Iterable<Connection>) => {
      for (const { socket } of [...connections]) socket.destroy();
    };
    end([...this.#open.values()].filter(({ requests }) => requests === 0));
    setTimeout(() => end(this.#open.values()), graceMs).unref();
  }

  /** Notes that a request came on a connection, which carries TLS or not: of a device, or of nobody known. */
  heard(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>, device: string | null): void {
    const connection = this.#open.get(placeOf(socket));
    if (!connection) return;
    connection.requests += 1;
    if (connection.device === device) return;
    this.#leave(connection);
    connection.device = device;
    this.#join(connection);
  }

  #join(connection: Connection): void {
    const [holders, holder] = this.#holderOf(connection);
    const own = (holders.get(holder) ?? new Set()).add(connection);
    holders.set(holder, own);
    if (connection.device === null) this.#strangers += 1;
    if (own.size > this.#limits.connectionsPerPeer) this.#drop(own, 'share');
  }

  #leave(connection: Connection): void {
    const [holders, holder] = this.#holderOf(connection);
    const own = holders.get(holder);
    if (!own?.delete(connection)) return;
    if (own.size === 0) holders.delete(holder);
    if (connection.device === null) this.#strangers -= 1;
  }

  #holderOf({ device, source }: Connection): [Holders, string] {
    return device === null ? [this.#ofSource, source] : [this.#ofDevice, device];
  }

  /** Never empty: the newest connection is always still its source's. */
  #mostOfOneSource(): ReadonlySet<Connection> {
    return [...this.#ofSource.values()].reduce((most, own) => (own.size > most.size ? own : most));
  }

  /** Drops one of `own`. It counts no more from now on, although its socket closes a moment later. */
  #drop(own: ReadonlySet<Connection>, reason: DropReason): void {
    const gone = goesFirst([...own]);
    this.#open.delete(gone.place);
    this.#leave(gone);
    this.#events.dropped(reason);
    gone.socket.destroy(); // no reset: one while the socket is being accepted keeps this process from ending
  }
}

/** The oldest that has not said a byte, or the oldest. The newest has had no time to say any, and stays if others can go. */
function goesFirst(connections: readonly Connection[]): Connection {
  return connections.slice(0, -1).find(({ socket }) => socket.bytesRead === 0) ?? connections[0]!;
}

function placeOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`;
}
