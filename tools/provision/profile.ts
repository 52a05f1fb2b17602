/** `ghostpipe-provision profile`: the relay's address and pins, for devices that are enrolled already. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { zone as zoneShape } from '../../protocol/shapes.ts';
import { type CommandSpec, EXIT, printJson, requiredOption, runCommand } from '../lib/command.ts';
import { writeZoneProfile } from './device-files.ts';
import { DEVICE_OUT_OPTIONS, deviceOut, openSite, SITE_OPTIONS, usageCheck } from './options.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision profile',
  summary: 'write config.yaml for the devices of a zone: where the relay is, and which keys it has',
  usage: '--zone ZONE [OPTIONS]',
  options: {
    zone: { type: 'string', value: 'ZONE', help: 'ot, it or management' },
    ...DEVICE_OUT_OPTIONS,
    ...SITE_OPTIONS,
  },
  examples: ['ghostpipe-provision profile --zone ot --out ./ot'],
};

export function profile(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const zone = usageCheck(zoneShape, requiredOption(args, 'zone'), '--zone');
    const site = openSite(nativeEngine, args);
    const out = deviceOut(args);
    writeZoneProfile(site, zone, out);
    const { urls, relayPins } = site.settings;
    if (args.flag('json')) {
      printJson({ ok: true, folder: out.folder, profile: out.profile, url: urls[zone], relayPins });
    } else {
      const lines = [
        `${out.folder}/config.yaml leads the devices of zone ${zone} to ${urls[zone]} (${relayPins.join(' or ')})`,
        '  bring it to each of them, in place of their own, then reload their programs',
      ];
      process.stdout.write(`${lines.join('\n')}\n`);
    }
    return EXIT.ok;
  });
}
