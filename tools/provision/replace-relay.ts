/**
 * `ghostpipe-provision replace-relay`: another identity for the relay, in two steps, so that no device is cut off: first
 * devices learn to accept both keys, then the relay changes. With a stolen seed both steps follow at once.
 */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine } from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { syncPath, writeFileAtomic } from '../lib/files.ts';
import { relayPins } from '../lib/relay-pins.ts';
import { openSite, SITE_OPTIONS } from './options.ts';
import { readSeed, type SiteFolder } from './site-folder.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision replace-relay',
  summary: 'give the relay a new identity: first make it and let devices accept both, then finish',
  usage: '[--finish] [--dir DIR]',
  options: {
    finish: { type: 'boolean', help: 'the relay takes the new identity, the old one counts no more' },
    ...SITE_OPTIONS,
  },
  examples: ['ghostpipe-provision replace-relay', 'ghostpipe-provision replace-relay --finish'],
};

export function replaceRelay(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const site = openSite(nativeEngine, args);
    const finish = args.flag('finish');
    if (finish) finishRelayIdentity(nativeEngine, site);
    else beginRelayIdentity(nativeEngine, site);
    const { relayPins: pins } = site.settings;
    if (args.flag('json')) printJson({ ok: true, finished: finish, relayPins: pins });
    else process.stdout.write(`${advice(site, finish).join('\n')}\n`);
    return EXIT.ok;
  });
}

/** Makes the next identity, unless one is made: from now on profiles name both pins. */
export function beginRelayIdentity(engine: Engine, site: SiteFolder): void {
  const path = nextSeedPath(site);
  if (!existsSync(path)) writeFileAtomic(path, `${toBase64Url(engine.random(32))}\n`);
  const { relayPins: present, logPin } = site.settings;
  site.setPins({ relayPins: [present[0]!, relayPins(engine, readSeed(path)).tls], logPin });
}

/** Puts the next identity into the relay's folder: from now on profiles name its pin alone. Refuses `key-missing`. */
export function finishRelayIdentity(engine: Engine, site: SiteFolder): void {
  const path = nextSeedPath(site);
  const pins = relayPins(engine, readSeed(path));
  site.setPins({ relayPins: [pins.tls], logPin: pins.log });
  renameSync(path, join(site.path, 'relay', 'identity-seed'));
  syncPath(site.path);
}

function nextSeedPath(site: SiteFolder): string {
  return join(site.path, 'next-relay-seed');
}

function advice(site: SiteFolder, finished: boolean): string[] {
  const { relayPins: pins } = site.settings;
  const profiles = `ghostpipe-provision profile --zone ot|it|management --dir ${site.path}, brought to each device`;
  if (finished) {
    return [
      `The relay is ${pins[0]} from its next start on.`,
      `  copy ${site.path}/relay to the relay's host, keeping modes, and restart the relay`,
      `  then let devices forget the old identity: ${profiles}`,
    ];
  }
  return [
    `The relay will be ${pins[1]}; it still is ${pins[0]}.`,
    `  let devices accept both: ${profiles}`,
    `  then: ghostpipe-provision replace-relay --finish --dir ${site.path}`,
  ];
}
