/**
 * Site configuration: the one signed document that makes an appliance the relay of a site. It stands on the card's FAT
 * partition beside the roster, the pin of the operator key, and the relay's identity seed.
 *
 * The relay's own configuration is part of it, without paths: where things stand is the appliance's business.
 */
import { type ListenerConfig, parseRelayConfig } from './config.ts';
import type { Engine } from './engine/engine.ts';
import { keysFromText, operatorKeyHash } from './identity.ts';
import { Problem } from './problem.ts';
import { integer, list, type Of, object, oneOf, type Shape, text } from './shape.ts';
import { idText, pinText, siteIdText, timeMs, verifyingKeys, version1, type Zone, zone } from './shapes.ts';
import { type DocumentKind, openDocumentBytes } from './signed.ts';

/** Files on the partition, and the most bytes of each. */
export const CARD_FILES = {
  config: { name: 'site.json', limit: 131_072 },
  roster: { name: 'roster.json', limit: 1_048_576 },
  operatorPin: { name: 'operator.pin', limit: 256 },
  /** The relay's identity in plain text: whoever has the card can be the relay. */
  seed: { name: 'identity.seed', limit: 256 },
} as const;

export const CARD_LABEL = 'GHOSTPIPE';

export const APPLIANCE_BOARDS = ['vm', 'arm64', 'pi4', 'pi3'] as const;
export type ApplianceBoard = (typeof APPLIANCE_BOARDS)[number];

const OCTET = '(25[0-5]|2[0-4]\\d|1?\\d?\\d)';
const V4 = `${OCTET}(\\.${OCTET}){3}`;
const V6 = '[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}';

const address = text('an IP address', 2, 45, new RegExp(`^(${V4}|${V6})$`));
const subnet = text('an address with its prefix length, as 10.20.0.1/24', 4, 49, prefixed(V4, V6));
/** Names as the kernel takes them, without what would end a quoted word in a ruleset. */
export const interfaceText: Shape<string> = text(
  'the name of a network interface',
  1,
  15,
  /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/,
);
const macText = text('a MAC address, as 02:00:5e:00:53:01', 17, 17, /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);

const DHCP = 'dhcp';
const addressing: Shape<string> = (value, path) => (value === DHCP ? DHCP : subnet(value, path));

const networkInterface = object(
  {
    zones: list(zone, 1, 3, String),
    /** `dhcp`, or the address with its prefix length. */
    address: addressing,
  },
  {
    /** One of both says which interface it is. */
    name: interfaceText,
    mac: macText,
    gateway: address,
    /** Who may reach the relay here; everybody when it is left out. */
    allow: list(subnet, 1, 64, String),
  },
);
export type NetworkInterface = Of<typeof networkInterface>;

/** The relay's configuration as `parseRelayConfig` takes it, less what only the device knows. */
const relay: Shape<Readonly<Record<string, unknown>>> = (value, path) => {
  const written = relayFields(value, path);
  try {
    parseRelayConfig(written);
  } catch (thrown) {
    const { code, detail, path: inside } = thrown as Problem;
    throw new Problem(code, detail, `${path}.${inside}`);
  }
  return written;
};

/** Whether the operator vouches for the machine's own clock, as for that of a virtual machine's host. */
export const CLOCKS = ['untrusted', 'operator'] as const;

/** What the operator writes; the rest of the document is the site's. */
export const applianceSettings = object(
  {
    board: oneOf(APPLIANCE_BOARDS),
    interfaces: list(networkInterface, 1, 8, ({ name, mac }) => name ?? mac ?? ''),
  },
  {
    /** Addresses, since the appliance asks no name server. */
    ntp: list(address, 1, 4, String),
    clock: oneOf(CLOCKS),
    /** Shown to people before anything else, on the console too. */
    notice: text('a notice of one line of printable ASCII', 1, 500, /^[\x20-\x7e]+$/),
    audit: object(
      { mode: oneOf(['required', 'best-effort', 'none']) },
      {
        ramMiB: integer(1, 65_536),
        pruneQuorum: integer(1, 16),
        /** Marker of the stick that the log goes to. */
        stick: idText,
      },
    ),
  },
);
export type ApplianceSettings = Of<typeof applianceSettings>;

const body = object({
  v: version1,
  siteId: siteIdText,
  operator: verifyingKeys,
  /** Only grows: each that is signed has a higher one. */
  version: integer(1, 0xffff_ffff),
  issuedMs: timeMs,
  /** The oldest roster that may go with it. */
  minRosterVersion: integer(1, 0xffff_ffff),
  appliance: applianceSettings,
  relay,
});
export type SiteConfig = Of<typeof body>;

export const SITE_CONFIG: DocumentKind<SiteConfig> = {
  label: 'ghostpipe/site-config/v1',
  body,
  limit: CARD_FILES.config.limit,
};

/**
 * Opens a configuration that anybody may have put there. Refuses `operator-mismatch`, `signature-invalid`, what its shape
 * refuses, and what `refuseContradictions` does.
 */
export function openSiteConfig(engine: Engine, bytes: Uint8Array, pin: string): SiteConfig {
  const config = openDocumentBytes(engine, SITE_CONFIG, bytes, ({ operator }) => {
    const keys = keysFromText(operator);
    const actual = operatorKeyHash(keys);
    if (actual !== pin) throw new Problem('operator-mismatch', `the operator key is ${actual}, the pin is ${pin}`);
    return keys;
  });
  refuseContradictions(config.appliance, relayListeners(config.relay));
  return config;
}

/** The pin in the text of its file; refuses `schema-invalid`. */
export function parsePin(written: string): string {
  return pinText(written.trim(), '');
}

/** The listeners of the relay's part of a configuration. */
export function relayListeners(relay: SiteConfig['relay']): readonly ListenerConfig[] {
  return parseRelayConfig(relay).listeners;
}

/**
 * The listener through which the appliance tests itself by that call. It also registers. Refuses `schema-invalid` when
 * there is none.
 */
export function testListener(listeners: readonly ListenerConfig[], call: 'inbound' | 'claim'): ListenerConfig {
  const found = listeners.find(({ calls }) => calls.includes(call) && calls.includes('membership'));
  if (found) return found;
  throw new Problem('schema-invalid', `no listener serves ${call} and membership`, 'relay.listeners');
}

/** Refuses `schema-invalid` for settings that each have their shape and do not go together. */
export function refuseContradictions(
  { interfaces, audit }: ApplianceSettings,
  listeners: readonly ListenerConfig[],
): void {
  const seen = new Map<Zone, number>();
  for (const [i, entry] of interfaces.entries()) {
    const place = `interfaces[${i}]`;
    if ((entry.name === undefined) === (entry.mac === undefined)) {
      throw new Problem('schema-invalid', 'an interface needs either name or mac', place);
    }
    if (entry.gateway !== undefined && entry.address === DHCP) {
      throw new Problem('schema-invalid', 'a gateway comes with dhcp by itself', `${place}.gateway`);
    }
    for (const each of entry.zones) {
      const other = seen.get(each);
      if (other !== undefined) {
        throw new Problem('schema-invalid', `zone ${each} is at interfaces ${other} and ${i}`, `${place}.zones`);
      }
      seen.set(each, i);
    }
  }
  for (const listener of listeners) {
    const at = seen.get(listener.zone);
    if (at === undefined) {
      throw new Problem('schema-invalid', `no interface is in zone ${listener.zone}`, 'interfaces');
    }
    refuseElsewhere(listener, interfaces[at]!.address, `interfaces[${at}].address`);
  }
  testListener(listeners, 'inbound');
  testListener(listeners, 'claim');
  if (audit?.mode === 'required' && audit.stick === undefined) {
    throw new Problem('schema-invalid', 'mode: required needs the marker of a stick', 'audit.mode');
  }
}

/** A listener is bound to the address of its interface, or to all. */
function refuseElsewhere({ zone, address: bound }: ListenerConfig, written: string, place: string): void {
  if (/^(0\.0\.0\.0|[0:]+)$/.test(bound) || written.split('/')[0] === bound) return;
  const fact = `the relay listens in zone ${zone} on ${bound}, its interface has ${written}`;
  throw new Problem('schema-invalid', fact, place);
}

function relayFields(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Problem('schema-invalid', `${path} must be an object`, path);
  }
  const fields = value as Readonly<Record<string, unknown>>;
  const unwanted = ['seedFile', 'site', 'audit', 'appliance', 'notReady'].find((name) => Object.hasOwn(fields, name));
  if (unwanted) throw new Problem('schema-invalid', `unknown key "${unwanted}"`, `${path}.${unwanted}`);
  return fields;
}

function prefixed(v4: string, v6: string): RegExp {
  return new RegExp(`^(${v4}/(3[0-2]|[12]?\\d)|${v6}/(12[0-8]|1[01]\\d|[1-9]?\\d))$`);
}
