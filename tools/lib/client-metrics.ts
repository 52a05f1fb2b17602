/** Numbers of a client for Prometheus: an HTTP endpoint on loopback, and nothing else. */
import { createServer } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { Counter, Gauge, type OpenMetricsContentType, Registry } from 'prom-client';
import { Problem } from '../../protocol/problem.ts';

const LOOPBACK = /^(127(\.\d{1,3}){3}|::1)$/;
const MAX_CONNECTIONS = 16;

/** One number of a client. A `counter` only grows while the process runs; a `gauge` goes up and down. */
export interface Figure {
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
  /** Asked at each look. */
  readonly read: () => number;
}

/** Figures by name, as `blocks_total`; the endpoint puts `ghostpipe_<tool>_` before it. */
export type Figures = Readonly<Record<string, Figure>>;

export interface MetricsEndpoint {
  readonly url: string;
  close(): Promise<void>;
}

/** The address that `--metrics [ADDRESS:]PORT` names; refuses `usage` for one that is not loopback. */
export function loopbackAddress(text: string): { readonly host: string; readonly port: number } {
  const [, host = '127.0.0.1', digits] = /^(?:\[?([^\]]*?)\]?:)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw new Problem('usage', `--metrics takes [ADDRESS:]PORT, not "${text}"`);
  }
  if (!isIP(host) || !LOOPBACK.test(host)) {
    throw new Problem('usage', `--metrics listens on loopback only (127.0.0.1 or ::1), not on "${host}"`);
  }
  return { host, port };
}

/** Serves `figures` at /metrics of `address`; refuses `usage` for an address that is taken. */
export async function serveMetrics(tool: string, address: string, figures: Figures): Promise<MetricsEndpoint> {
  const { host, port } = loopbackAddress(address);
  const registry = registryOf(tool, figures);
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(), // a figure that cannot be read now, as of a disk, stops nothing
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ code }: NodeJS.ErrnoException) =>
      reject(new Problem('usage', `--metrics ${host}:${port} cannot be listened on (${code})`)),
    );
    server.listen(port, host, resolve);
  });
  const bound = server.address() as AddressInfo;
  return {
    url: `http://${bound.family === 'IPv6' ? `[${host}]` : host}:${bound.port}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function registryOf(tool: string, figures: Figures): Registry<OpenMetricsContentType> {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const [name, { kind, help, read }] of Object.entries(figures)) {
    const options = { name: `ghostpipe_${tool}_${name}`, help, registers: [registry] };
    if (kind === 'gauge') {
      new Gauge({
        ...options,
        collect() {
          this.set(read());
        },
      });
    } else {
      new Counter({
        ...options,
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    }
  }
  return registry;
}
