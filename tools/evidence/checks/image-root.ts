/** Checks of what stands on the root of an image. */
import type { ImageCheck } from '../check.ts';
import type { ImageView } from '../image/image-view.ts';
import { withEntry, withFile } from '../image/sabotage.ts';

const SHELLS = /^(usr\/)?s?bin\/(ba|da|z|k|c|tc|fi|r|rba|a)?sh$|\/busybox$/;
const LOGINS = /\/(agetty|getty|login|su|sudo|run0|sulogin|sshd|dropbear|telnetd|in\.telnetd|rlogind)$/;
const INSTALLERS = /\/(apt|apt-get|dpkg|dpkg-deb|snap|flatpak|pip3?|npm|rpm|dnf|systemd-sysext)$/;
const INTERPRETERS = /\/(perl[\d.]*|python[\d.]*|ruby[\d.]*|lua[\d.]*|tclsh[\d.]*|[gm]?awk)$/;
const RADIO_MODULES =
  /\/(drivers\/(net\/wireless|bluetooth|nfc|net\/wwan|net\/ieee802154)|net\/(bluetooth|mac80211|wireless|nfc|mac802154|rfkill))\//;
const RADIO_FIRMWARE =
  /^(usr\/)?lib\/firmware\/.*(brcmfmac|iwlwifi|ath\d+k|rtlwifi|rtw8\d|rt2\d{3}|mt76|cypress|bluetooth|\bbrcm\/BCM|libertas|ti-connectivity|qca)/i;
const RADIO_PROGRAMS = /\/(wpa_supplicant|iwd|iw|hostapd|bluetoothd|bluetoothctl|ModemManager|rfkill|connmand)$/;
const NO_LOGIN = /^(\/usr)?\/(s?bin\/(nologin|false))$/;

export const IMAGE_ROOT_CHECKS: readonly ImageCheck[] = [
  {
    id: 'image-accounts',
    layer: 'image',
    look({ root }, see) {
      const shadow = linesOf(root.get('etc/shadow')?.text);
      const accounts = linesOf(root.get('etc/passwd')?.text);
      see('accounts', accounts.length, 1, 'at-least');
      see(
        'accounts without a line in shadow',
        accounts.filter(([name]) => !shadow.some(([own]) => own === name)).length,
        0,
      );
      see('fields with a password, or with none', shadow.filter(([, field = '']) => !/^[!*]/.test(field)).length, 0);
      see('passwords outside shadow', accounts.filter(([, field]) => field !== 'x').length, 0);
      see('accounts with a shell', accounts.filter((cells) => !NO_LOGIN.test(cells[6] ?? '')).length, 0);
      see('accounts with the rights of root', accounts.filter(([, , uid]) => Number(uid) === 0).length, 1);
    },
    sabotages: {
      'empty-field': (image) => replaced(image, 'etc/shadow', /^root:[^:]*/m, 'root:'),
      'a-password': (image) => replaced(image, 'etc/shadow', /^root:[^:]*/m, 'root:$6$salt$hash'),
      'a-shell': (image) => replaced(image, 'etc/passwd', /^(root:.*:)[^:\n]*$/m, '$1/bin/sh'),
    },
  },
  {
    id: 'image-no-setuid',
    layer: 'image',
    look({ root }, see) {
      const all = [...root.values()];
      see('entries', all.length, 1, 'at-least');
      see(
        'files that run with the rights of another',
        all.filter(({ kind, mode }) => kind === 'file' && mode & 0o6000).length,
        0,
      );
      see('devices, sockets and pipes', all.filter(({ kind }) => kind === 'other').length, 0);
      const open = all.filter(
        ({ kind, mode }) => kind !== 'link' && mode & 0o002 && !(kind === 'folder' && mode & 0o1000),
      );
      see('entries that anybody may write', open.length, 0);
      see('files of others than root', all.filter(({ kind, uid }) => kind === 'file' && uid !== 0).length, 0);
    },
    sabotages: {
      setuid: withFile('usr/bin/mount', '', 0o4755),
      device: withEntry('dev/sda', { kind: 'other', mode: 0o660, uid: 0, gid: 6 }),
      writable: withFile('usr/lib/ghostpipe/extra.js', '', 0o666),
    },
  },
  {
    id: 'image-no-shell',
    layer: 'image',
    look({ root }, see) {
      const names = [...root.keys()];
      see('programs', names.filter((name) => /^usr\/s?bin\//.test(name)).length, 1, 'at-least');
      for (const [what, form] of Object.entries({
        shells: SHELLS,
        'programs to log in by': LOGINS,
        'programs that install others': INSTALLERS,
        'interpreters of other languages': INTERPRETERS,
      })) {
        see(what, names.filter((name) => form.test(name)).length, 0);
      }
    },
    sabotages: {
      shell: withFile('usr/bin/dash', '', 0o755),
      ssh: withFile('usr/sbin/sshd', '', 0o755),
      'package-manager': withFile('usr/bin/dpkg', '', 0o755),
      interpreter: withFile('usr/bin/perl5.40', '', 0o755),
    },
  },
  {
    id: 'image-no-radio',
    layer: 'image',
    look({ root }, see) {
      const names = [...root.keys()];
      see('kernel modules', names.filter((name) => /\.ko(\.\w+)?$/.test(name)).length, 1, 'at-least');
      see('modules of radios', names.filter((name) => RADIO_MODULES.test(name)).length, 0);
      see('firmware of radios', names.filter((name) => RADIO_FIRMWARE.test(name)).length, 0);
      see('programs of radios', names.filter((name) => RADIO_PROGRAMS.test(name)).length, 0);
      const builtin = [...root].filter(([name]) => /\/modules\.builtin$/.test(name));
      see('lists of what is built into the kernel', builtin.length, 1);
    },
    sabotages: {
      module: withFile('usr/lib/modules/6.12/kernel/drivers/net/wireless/broadcom/brcm80211/brcmfmac/brcmfmac.ko'),
      firmware: withFile('usr/lib/firmware/brcm/brcmfmac43455-sdio.bin'),
      daemon: withFile('usr/sbin/wpa_supplicant', '', 0o755),
    },
  },
];

function linesOf(text: string | undefined): string[][] {
  return (text ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}

function replaced(image: ImageView, path: string, find: RegExp, replace: string): ImageView {
  const text = image.root.get(path)?.text;
  const next = text?.replace(find, replace);
  if (next === undefined || next === text) throw new Error(`${path} does not hold what is to be sabotaged`);
  return { ...image, root: new Map([...image.root, [path, { ...image.root.get(path)!, text: next }]]) };
}
