/** What provisioning writes for a device: its folder and the relay profile beside it. */
import { existsSync } from 'node:fs';
import { Problem } from '../../protocol/problem.ts';
import type { Zone } from '../../protocol/shapes.ts';
import type { SignedJson } from '../../protocol/signed.ts';
import { type IdentityFile, type KemFile, writeCredentials, writeEnrolment } from '../lib/device.ts';
import { deviceFolder } from '../lib/paths.ts';
import { type Profile, readProfile, writeProfile } from '../lib/profile.ts';
import type { DeviceOut } from './options.ts';
import type { SiteFolder } from './site-folder.ts';

/** The parts of a device folder that the operator may replace. */
export interface Credentials {
  readonly grant: SignedJson;
  readonly apiKey: string;
  readonly rosterBytes: Uint8Array;
}

/** Writes secrets, credentials and profile of a device. */
export function writeDevice(
  site: SiteFolder,
  zone: Zone,
  out: DeviceOut,
  secrets: { readonly identity: IdentityFile; readonly kem: KemFile },
  credentials: Credentials,
): void {
  writeEnrolment(deviceFolder(out.folder, secrets.identity.name), secrets, credentials);
  writeProfile(out.folder, out.profile, profileOf(site, zone));
}

/** Writes the relay profile of the devices of `zone`; refuses `already-exists` as `refuseOtherProfile` does. */
export function writeZoneProfile(site: SiteFolder, zone: Zone, out: DeviceOut): void {
  refuseOtherProfile(site, zone, out);
  writeProfile(out.folder, out.profile, profileOf(site, zone));
}

/** Writes new credentials of a device whose secrets stay where they are. */
export function writeNewCredentials(
  site: SiteFolder,
  zone: Zone,
  name: string,
  out: DeviceOut,
  credentials: Credentials,
): void {
  writeCredentials(deviceFolder(out.folder, name), credentials);
  writeProfile(out.folder, out.profile, profileOf(site, zone));
}

/** Refuses to write over the keys of a device: they exist nowhere else. */
export function refuseEnrolled(out: DeviceOut, name: string): void {
  const folder = deviceFolder(out.folder, name);
  if (existsSync(folder)) throw new Problem('already-exists', `${folder} holds the keys of a device`);
}

/** Refuses to turn a profile that another device uses to another address or site. Pins of this site are renewed. */
export function refuseOtherProfile(site: SiteFolder, zone: Zone, out: DeviceOut): void {
  const present = profileOrNone(out);
  const { url, siteId, operatorKeyHash } = profileOf(site, zone);
  if (present && (present.url !== url || present.siteId !== siteId || present.operatorKeyHash !== operatorKeyHash)) {
    throw new Problem(
      'already-exists',
      `profile "${out.profile}" in ${out.folder} leads to ${present.url}; give --profile or --out`,
    );
  }
}

/** Auditors are in the management zone: the others need no key to seal exports to. */
function profileOf(site: SiteFolder, zone: Zone): Profile {
  const { urls, relayPins, logPin, operatorKeyHash, siteId, exportTo } = site.settings;
  const sealed = zone === 'management' && exportTo !== undefined ? { exportTo } : {};
  return { url: urls[zone], relayPins, logPin, operatorKeyHash, siteId, ...sealed };
}

function profileOrNone(out: DeviceOut): Profile | undefined {
  try {
    return readProfile(out.folder, out.profile);
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.code === 'profile-missing') return undefined;
    throw thrown;
  }
}
