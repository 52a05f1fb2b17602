/** `--check`: looks one after the other at what a client needs to run, and says what it found. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { isRevoked } from '../../protocol/revocation.ts';
import { deviceWithDid } from '../../protocol/roster.ts';
import type { Client } from './client.ts';
import { type Arguments, EXIT, exitCodeOf, printJson } from './command.ts';
import { writeFileAtomic } from './files.ts';
import { connectPinned, peerOf } from './pinned-tls.ts';

/** One thing to look at. */
export interface Check {
  readonly name: string;
  /** Gives the fact that was found; throws the `Problem` that keeps the client from running. */
  look(): string | Promise<string>;
}

/**
 * Looks at `checks` in order until one fails, since those after it stand on it. Prints a line for each, with --json one
 * object. Gives the exit code: 0, 1 when the relay is the matter, 3 when something on this host is.
 */
export async function runChecks(args: Arguments, checks: readonly Check[]): Promise<number> {
  const found: { check: string; ok: boolean; detail: string; code?: string; mend?: string }[] = [];
  let failure: Problem | undefined;
  for (const { name, look } of checks) {
    try {
      found.push({ check: name, ok: true, detail: await look() });
    } catch (thrown) {
      failure = asProblem(thrown);
      found.push({ check: name, ok: false, detail: failure.detail, code: failure.code, mend: failure.mend });
      break;
    }
  }
  if (args.flag('json')) printJson({ ok: !failure, checks: found });
  else for (const each of found) process.stdout.write(`${sentence(each)}\n`);
  return failure ? exitCodeOf(failure) : EXIT.ok;
}

function sentence({ check, ok, detail, code, mend }: Record<string, string | boolean | undefined>): string {
  return ok ? `ok    ${check}: ${detail}` : `FAIL  ${check}: ${detail} [${code}]\n      ${mend}`;
}

/** What both clients need; `peers` names the members that this one deals with, by the roster of the moment. */
export function clientChecks(open: () => Client, peers: (client: Client) => readonly string[]): Check[] {
  let opened: Client | undefined;
  const client = (): Client => {
    opened ??= open();
    return opened;
  };
  return [
    { name: 'configuration', look: () => `${client().profile.url} with ${client().profile.relayPins.length} pin(s)` },
    { name: 'device', look: () => `${client().enrolment.device.name}, ${client().enrolment.device.did}` },
    { name: 'roster', look: () => rosterFact(client()) },
    { name: 'state folder', look: () => writableFact(client().state) },
    { name: 'relay', look: () => relayFact(client()) },
    { name: 'registration', look: () => registrationFact(client()) },
    { name: 'route', look: () => routeFact(client(), peers(client())) },
  ];
}

function rosterFact({ directory: { roster }, enrolment: { device } }: Client): string {
  const entry = deviceWithDid(roster, device.did);
  if (!entry) throw new Problem('not-in-roster', `roster ${roster.version} does not list ${device.name}`);
  if (isRevoked(roster.revocations, device.did)) {
    throw new Problem('revoked', `roster ${roster.version} says that ${device.name} is revoked`);
  }
  const { intervalMs, blockSize } = roster.profile;
  const rhythm = `a block of ${blockSize} bytes each ${intervalMs / 1000} s`;
  return `version ${roster.version}, zone ${entry.zone}, roles ${entry.roles.join(' ')}; ${rhythm}`;
}

function writableFact(folder: string): string {
  const probe = join(folder, 'check');
  try {
    writeFileAtomic(probe, '');
    rmSync(probe);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw new Problem('file-invalid', `${folder} cannot be written (${code})`);
  }
  return `${folder} can be written`;
}

async function relayFact({ profile }: Client): Promise<string> {
  const socket = await connectPinned(peerOf(profile.url, profile.relayPins));
  const { remoteAddress, remotePort } = socket;
  socket.destroy();
  return `${remoteAddress}:${remotePort} answers with the pinned key`;
}

async function registrationFact({ membership, directory }: Client): Promise<string> {
  const [problem] = await membership.join();
  if (problem) throw problem;
  return `the relay knows this device; roster ${directory.roster.version} is in force`;
}

function routeFact({ directory }: Client, peers: readonly string[]): string {
  const names = peers.map((did) => deviceWithDid(directory.roster, did)!.name);
  if (names.length === 0) throw new Problem('not-routed', 'no route of the roster begins or ends here');
  return names.join(', ');
}
