/** What a verified card becomes below `/run`: the folders of relay and readiness test, and the files of the system. */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type BootStatement, configHash } from '../protocol/boot-statement.ts';
import { canonicalText } from '../protocol/canonical.ts';
import { parseRelayConfig } from '../protocol/config.ts';
import type { Engine } from '../protocol/engine/engine.ts';
import { toBase64Url } from '../protocol/text.ts';
import { writeFileAtomic } from '../tools/lib/files.ts';
import { accountOf, giveFolder } from './accounts.ts';
import type { Card } from './card.ts';
import { RUN, USERS } from './layout.ts';
import type { ImageFacts } from './machine.ts';
import { firewallFile, type NamedInterface, networkFile, timesyncdFile } from './network.ts';
import type { Outcome } from './outcome.ts';
import { makeSelf } from './self.ts';
import { PLACE_FILE, placeOf } from './self-place.ts';

/** The slot by which the relay tests itself is beside those of the site. */
const MAX_SLOTS = 4096;

export interface RenderOptions {
  readonly engine: Engine;
  /** `/run` on the device. */
  readonly run: string;
  /** The tmpfs for blocks and the journal of the audit log. */
  readonly store: string;
  readonly stick: string;
  readonly synchronized: string;
  /** The passwd file. */
  readonly accounts: string;
  readonly image: ImageFacts;
  /** Verity root hash in base64url; null for a root without verity. */
  readonly rootHash: string | null;
  readonly interfaces: readonly NamedInterface[];
}

/** Writes everything but the outcome, which it gives. */
export function render(card: Card, options: RenderOptions): Outcome {
  const { engine, run, accounts } = options;
  const { config, roster, seed, configBytes } = card;
  const hash = configHash(engine, seed, configBytes);
  const relay = privateFolder(run, RUN.relay);
  const self = privateFolder(run, RUN.self);

  // 1. The relay's folder, and the secrets of the device by which it is tested.
  const write = (name: string, content: Uint8Array | string) => writeFileAtomic(join(relay, name), content);
  write('identity-seed', `${toBase64Url(seed)}\n`);
  write('roster.json', card.rosterBytes);
  write('self.json', canonicalText(makeSelf(engine, self, card)));
  write('statement.json', canonicalText(statementOf(card, hash, options)));
  write('relay.yaml', stringify(relayConfig(card, options)));
  writeFileAtomic(join(self, PLACE_FILE), canonicalText(placeOf(engine, card)));
  giveFolder(relay, accountOf(accounts, USERS.relay));
  giveFolder(self, accountOf(accounts, USERS.ready));

  // 2. The system's files, which anybody may read.
  const system = (name: string, content: string) => {
    mkdirSync(join(run, name, '..'), { recursive: true, mode: 0o755 });
    writeFileAtomic(join(run, name), content, 0o644);
  };
  for (const [i, each] of options.interfaces.entries()) {
    system(`${RUN.networkd}/10-ghostpipe-${i}.network`, networkFile(each));
  }
  system(RUN.timesyncd, timesyncdFile(config.appliance.ntp ?? []));
  system(RUN.firewall, firewallFile(card, options.interfaces));
  return {
    v: 1,
    state: 'configured',
    siteName: roster.siteName,
    configVersion: config.version,
    ...(config.appliance.notice === undefined ? {} : { notice: config.appliance.notice }),
    configHash: hash,
    rosterVersion: roster.version,
  };
}

function privateFolder(run: string, name: string): string {
  const folder = join(run, name);
  mkdirSync(folder, { recursive: true });
  chmodSync(join(run, RUN.folder), 0o755);
  chmodSync(folder, 0o700);
  return folder;
}

function statementOf({ config }: Card, hash: string, { image, rootHash }: RenderOptions): BootStatement {
  return {
    v: 1,
    board: image.board,
    config: { hash, version: config.version },
    buildMs: image.builtMs,
    clock: config.appliance.clock ?? 'untrusted',
    ...(rootHash === null ? {} : { image: rootHash }),
  };
}

/** The relay's configuration with the places of this device. */
function relayConfig({ config, operatorPin }: Card, { store, stick, synchronized }: RenderOptions): object {
  const { notice, audit } = config.appliance;
  const { mode = 'best-effort', stick: marker, ...rest } = audit ?? {};
  const { slots } = parseRelayConfig(config.relay).store;
  const relay = {
    ...config.relay,
    seedFile: 'identity-seed',
    site: { siteId: config.siteId, operatorKeyHash: operatorPin, rosterFile: 'roster.json' },
    store: { kind: 'tmpfs', slots: Math.min(MAX_SLOTS, slots + 1), path: store },
    audit: {
      mode,
      ...rest,
      ...(marker === undefined ? {} : { stick: { path: stick } }),
    },
    ...(notice === undefined ? {} : { useNotice: notice }),
    appliance: { statement: 'statement.json', self: 'self.json', synchronized },
  };
  parseRelayConfig(relay);
  return relay;
}
