/** What the configuration means for the network: files of systemd-networkd and systemd-timesyncd, and the firewall. */

import { type NetworkInterface, relayListeners } from '../protocol/site-config.ts';
import { nftablesOf } from '../tools/lib/nftables.ts';
import type { Card } from './card.ts';

/** An interface of the configuration with the name that it has on this device. */
export interface NamedInterface extends NetworkInterface {
  readonly device: string;
}

/** Content of the `.network` file of an interface (systemd.network(5)). Nothing is learned from the network but by DHCP. */
export function networkFile({ device, address, gateway }: NamedInterface): string {
  const isDhcp = address === 'dhcp';
  const lines = [
    '[Match]',
    `Name=${device}`,
    '[Network]',
    ...(isDhcp ? ['DHCP=ipv4'] : ['DHCP=no', `Address=${address}`]),
    ...(gateway === undefined ? [] : [`Gateway=${gateway}`]),
    `LinkLocalAddressing=${address.includes(':') ? 'ipv6' : 'no'}`,
    'IPv6AcceptRA=no',
    'LLMNR=no',
    'MulticastDNS=no',
    'LLDP=no',
    ...(isDhcp ? ['[DHCPv4]', 'UseDNS=no', 'UseNTP=no', 'UseHostname=no', 'SendHostname=no'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** Time servers of the configuration and no others (timesyncd.conf(5)). */
export function timesyncdFile(ntp: readonly string[]): string {
  return `[Time]\nNTP=${ntp.join(' ')}\nFallbackNTP=\n`;
}

/** The firewall of a configured device. */
export function firewallFile({ config, roster }: Card, interfaces: readonly NamedInterface[]): string {
  const listeners = relayListeners(config.relay);
  const zones = interfaces.flatMap(({ zones: served, device, allow }) =>
    served.map((zone) => ({
      zone,
      interface: device,
      listeners: listeners.filter((listener) => listener.zone === zone),
      ...(allow === undefined ? {} : { allow }),
    })),
  );
  const dhcp = interfaces.filter(({ address }) => address === 'dhcp').map(({ device }) => device);
  const host = { ntp: config.appliance.ntp ?? [], dhcp };
  return nftablesOf({ siteName: roster.siteName, version: roster.version, zones, host });
}

/** The firewall of the safe state: nothing passes. */
export function closedFirewallFile(): string {
  return nftablesOf({ siteName: 'none', version: 0, zones: [] });
}
