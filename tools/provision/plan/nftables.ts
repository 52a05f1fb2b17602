/**
 * The firewall of the relay's host, made of the plan: what the plan names passes, all else is dropped, in both directions
 * and both families, and nothing is forwarded.
 *
 * The kernel answers on each interface for every address of the host. Only these rules tie an address to the interface
 * of its zone.
 */
import { isIPv6 } from 'node:net';
import type { ListenerConfig } from '../../../protocol/config.ts';
import { Problem } from '../../../protocol/problem.ts';
import type { JudgedPlan } from './model.ts';
import { isLoopback, isWildcard, type ZonePart } from './zones.ts';

type Placed = ZonePart & { readonly interface: string };

/** The ruleset as a file for `nft -f`. Refuses `usage` when the interface of a zone is not named. */
export function nftablesOf({ siteName, version, zones }: JudgedPlan): string {
  const placed = zones
    .map(reached)
    .filter(({ listeners }) => listeners.length > 0)
    .map(withInterface);
  return [
    '#!/usr/sbin/nft -f',
    `# The relay of site ${siteName}, roster version ${version}: made by ghostpipe-provision plan --nftables.`,
    '# Everything that is not named here is dropped. What else the host needs, as SSH from management, is a line in',
    '# input_management and one in output_management. Load it before the relay starts.',
    'table inet ghostpipe {}',
    'delete table inet ghostpipe',
    'table inet ghostpipe {',
    ...chain('input', 'type filter hook input priority filter; policy drop;', [
      'iifname "lo" accept',
      'ct state invalid drop',
      'meta l4proto tcp ct state new tcp flags & (fin | syn | rst | ack) != syn drop',
      ...placed.map((part) => `iifname "${part.interface}" jump input_${part.zone}`),
    ]),
    ...chain('forward', 'type filter hook forward priority filter; policy drop;', []),
    ...chain('output', 'type filter hook output priority filter; policy drop;', [
      'oifname "lo" accept',
      ...placed.map((part) => `oifname "${part.interface}" jump output_${part.zone}`),
    ]),
    ...placed.flatMap((part) => [
      ...chain(`input_${part.zone}`, null, [...neighbours(part, 'input'), ...part.listeners.map(inputRule)]),
      ...chain(`output_${part.zone}`, null, [...neighbours(part, 'output'), ...part.listeners.map(outputRule)]),
    ]),
    '}',
    '',
  ].join('\n');
}

/** Without listeners on loopback, which no other host reaches. */
function reached(part: ZonePart): ZonePart {
  return { ...part, listeners: part.listeners.filter((listener) => !isLoopback(listener)) };
}

function withInterface(part: ZonePart): Placed {
  const name = part.interface;
  if (name === null) {
    throw new Problem('usage', `--nftables needs the interface of zone ${part.zone}: --interface ${part.zone}=NAME`);
  }
  return { ...part, interface: name };
}

function chain(name: string, hook: string | null, rules: readonly string[]): string[] {
  const lines = [...(hook === null ? [] : [hook]), ...rules];
  return [`  chain ${name} {`, ...lines.map((line) => `    ${line}`), '  }'];
}

/** Errors of paths in use, and for IPv6 who has which address on this link (RFC 4861) and who listens (RFC 3810). */
function neighbours({ listeners }: ZonePart, direction: 'input' | 'output'): string[] {
  const related = 'meta l4proto { icmp, ipv6-icmp } ct state related accept';
  if (!listeners.some(({ address }) => isIPv6(address))) return [related];
  const groups = direction === 'input' ? 'mld-listener-query' : 'mld2-listener-report';
  return [
    related,
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept',
    `icmpv6 type ${groups} ip6 hoplimit 1 accept`,
  ];
}

function inputRule(listener: ListenerConfig): string {
  return `${at(listener, 'daddr')}tcp dport ${listener.port} ct state { new, established } accept`;
}

function outputRule(listener: ListenerConfig): string {
  return `${at(listener, 'saddr')}tcp sport ${listener.port} ct state established accept`;
}

/** An IPv6 wildcard takes IPv4 connections too, so it names no family. */
function at(listener: ListenerConfig, side: 'daddr' | 'saddr'): string {
  const { address } = listener;
  if (isWildcard(listener)) return isIPv6(address) ? '' : 'meta nfproto ipv4 ';
  return `${isIPv6(address) ? 'ip6' : 'ip'} ${side} ${address} `;
}
