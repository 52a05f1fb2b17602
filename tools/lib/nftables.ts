/**
 * The firewall of the relay's host, made of the plan: what the plan names passes, all else is dropped, in both directions
 * and both families, and nothing is forwarded.
 *
 * The kernel answers on each interface for every address of the host. Only these rules tie an address to the interface
 * of its zone.
 */
import { isIPv6 } from 'node:net';
import type { ListenerConfig } from '../../protocol/config.ts';
import { Problem } from '../../protocol/problem.ts';
import type { Zone } from '../../protocol/shapes.ts';

/** What passes at the interface of a zone. */
export interface FirewallZone {
  readonly zone: Zone;
  /** Null while nobody has named it. */
  readonly interface: string | null;
  readonly listeners: readonly ListenerConfig[];
  /** Subnets that may reach the listeners, as `10.20.0.0/24`; all when it is left out. */
  readonly allow?: readonly string[];
}

export interface Firewall {
  readonly siteName: string;
  /** Version of the roster. */
  readonly version: number;
  readonly zones: readonly FirewallZone[];
  /** What the host itself asks for: time servers by address, and an address by DHCP at these interfaces. */
  readonly host?: { readonly ntp: readonly string[]; readonly dhcp: readonly string[] };
}

type Placed = FirewallZone & { readonly interface: string };

/** The ruleset as a file for `nft -f`. Refuses `usage` when the interface of a zone is not named. */
export function nftablesOf({ siteName, version, zones, host = { ntp: [], dhcp: [] } }: Firewall): string {
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
      ...host.dhcp.map((name) => `iifname "${name}" udp sport 67 udp dport 68 accept`),
      ...host.ntp.map((server) => `${family(server)} saddr ${server} udp sport 123 ct state established accept`),
    ]),
    ...chain('forward', 'type filter hook forward priority filter; policy drop;', []),
    ...chain('output', 'type filter hook output priority filter; policy drop;', [
      'oifname "lo" accept',
      ...placed.map((part) => `oifname "${part.interface}" jump output_${part.zone}`),
      ...host.dhcp.map((name) => `oifname "${name}" udp sport 68 udp dport 67 accept`),
      ...host.ntp.map((server) => `${family(server)} daddr ${server} udp dport 123 accept`),
    ]),
    ...placed.flatMap((part) => [
      ...chain(`input_${part.zone}`, null, [
        ...neighbours(part, 'input'),
        ...part.listeners.flatMap((each) => inputRules(each, part.allow)),
      ]),
      ...chain(`output_${part.zone}`, null, [...neighbours(part, 'output'), ...part.listeners.map(outputRule)]),
    ]),
    '}',
    '',
  ].join('\n');
}

/** Without listeners on loopback, which no other host reaches. */
function reached(part: FirewallZone): FirewallZone {
  return { ...part, listeners: part.listeners.filter((listener) => !isLoopback(listener)) };
}

function withInterface(part: FirewallZone): Placed {
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
function neighbours({ listeners }: FirewallZone, direction: 'input' | 'output'): string[] {
  const related = 'meta l4proto { icmp, icmpv6 } ct state related accept';
  if (!listeners.some(({ address }) => isIPv6(address))) return [related];
  const groups = direction === 'input' ? 'mld-listener-query' : 'mld2-listener-report';
  return [
    related,
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept',
    `icmpv6 type ${groups} ip6 hoplimit 1 accept`,
  ];
}

function inputRules(listener: ListenerConfig, allow: readonly string[] | undefined): string[] {
  const sources = allow === undefined ? [''] : allow.map((subnet) => `${family(subnet)} saddr ${subnet} `);
  return sources.map(
    (source) => `${source}${at(listener, 'daddr')}tcp dport ${listener.port} ct state { new, established } accept`,
  );
}

function outputRule(listener: ListenerConfig): string {
  return `${at(listener, 'saddr')}tcp sport ${listener.port} ct state established accept`;
}

/** An IPv6 wildcard takes IPv4 connections too, so it names no family. */
function at(listener: ListenerConfig, side: 'daddr' | 'saddr'): string {
  const { address } = listener;
  if (isWildcard(listener)) return isIPv6(address) ? '' : 'meta nfproto ipv4 ';
  return `${family(address)} ${side} ${address} `;
}

function family(address: string): 'ip' | 'ip6' {
  return address.includes(':') ? 'ip6' : 'ip';
}

/** Whether the listener takes connections at every address of the host. */
export function isWildcard({ address }: Pick<ListenerConfig, 'address'>): boolean {
  return address === '0.0.0.0' || /^[0:]+$/.test(address);
}

/** Whether no other host reaches the listener. */
export function isLoopback({ address }: Pick<ListenerConfig, 'address'>): boolean {
  return address === '::1' || address.startsWith('127.');
}
