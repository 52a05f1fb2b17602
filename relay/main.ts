/** The relay as a program: options, configuration, and the signals that end it. */
import { parseArgs } from 'node:util';
import type { RelayConfig } from '../protocol/config.ts';
import { nativeEngine } from '../protocol/engine/native.ts';
import { asProblem, Problem } from '../protocol/problem.ts';
import { ENVIRONMENT, loadConfig } from './config.ts';
import { readSeedFile, relayIdentity } from './identity.ts';
import { type Relay, startRelay } from './service.ts';
import { readVersion } from './version.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, couldNotRun: 3 } as const;

const OPTIONS = {
  config: { type: 'string' },
  check: { type: 'boolean' },
  certificate: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

const HELP = `ghostpipe-relay: carries sealed blocks from senders to receivers, in memory only

Usage: ghostpipe-relay [--config FILE] [options]

Options:
  --config FILE  configuration in YAML; without it the environment decides
  --check        check the configuration, print it, and exit
  --certificate  print the certificate of its classic listeners (PEM), and exit
  --json         print one JSON line on stdout once the relay listens
  -h, --help     show this help
  --version      show name and version

Environment:
${Object.entries(ENVIRONMENT)
  .map(([name, meaning]) => `  ${name.padEnd(17)}${meaning}`)
  .join('\n')}

Examples:
  ghostpipe-relay --config relay.yaml --check
  ghostpipe-relay --config relay.yaml --certificate > relay.pem
  ghostpipe-relay --config relay.yaml
  RELAY_MODE=iot LICENSE_KEY=plk_xxx ghostpipe-relay

Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage, 3 could not start
`;

/** Runs the relay until SIGTERM or SIGINT; gives the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const { values } = parseOptions(argv);
    if (values.help) return say(HELP);
    if (values.version) return say(await versionLine());
    const config = await loadConfig(values.config, process.env);
    if (values.check) return say(checked(config));
    if (values.certificate) return say(await classicCertificate(config));
    const stopped = stopSignal(); // from now on: who reads the ready line may ask to stop at once
    const relay = await startRelay(config, { engine: nativeEngine });
    if (values.json) say(`${JSON.stringify(readyEvent(relay))}\n`);
    await stopped;
    await relay.close();
    return EXIT.ok;
  } catch (thrown) {
    return report(asProblem(thrown));
  }
}

function parseOptions(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false });
  } catch (error) {
    throw new Problem('usage', (error as Error).message);
  }
}

function say(text: string): number {
  process.stdout.write(text);
  return EXIT.ok;
}

async function versionLine(): Promise<string> {
  const { name, version, engines } = await readVersion();
  return `ghostpipe-relay (${name}) ${version}, Node ${process.versions.node} (needs ${engines})\n`;
}

/** The configuration as it will be used, without the licence key. */
function checked(config: RelayConfig): string {
  const licenceKey = config.licenceKey === null ? null : '(given)';
  return `${JSON.stringify({ ...config, licenceKey }, null, 2)}\n`;
}

/** What a monitoring tool is to trust: the same at each start, since it follows from the seed. */
async function classicCertificate({ seedFile, name }: RelayConfig): Promise<string> {
  if (seedFile === null) {
    throw new Problem('config-invalid', 'the configuration has no seedFile, so the certificate is new at each start');
  }
  return relayIdentity(nativeEngine, await readSeedFile(seedFile), name).classic.certificatePem;
}

/** What a parent process needs to know: above all the ports that the system chose. */
function readyEvent({ name, listeners, pin, logPin }: Relay): object {
  return { event: 'ready', name, listeners, pin, logPin };
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}

function report({ code, detail, mend }: Problem): number {
  process.stderr.write(`ghostpipe-relay: ${detail} [${code}]\n  ${mend}\n`);
  if (code === 'usage') return EXIT.usage;
  return code === 'internal' ? EXIT.failed : EXIT.couldNotRun;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
