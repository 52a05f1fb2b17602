/**
 * Whether the processor of this machine can run the guest itself (KVM), found out by a short boot: some build machines
 * have a /dev/kvm that runs no stock kernel. Where it cannot, QEMU emulates one, many times slower.
 */
import { accessSync, constants } from 'node:fs';
import { Guest } from './guest.ts';
import type { MachineSpec } from './machine.ts';

/** A kernel that runs at all says something within this; firmware alone takes two or three seconds. */
const PROBE_MS = 25_000;
/** What only a running kernel, or what it started, prints: the firmware's last words end with the EFI stub. */
const KERNEL_SPEAKS = /Linux version|systemd\[1\]|Welcome to|ghostpipe|^gp-init/;

export interface Accelerator {
  readonly name: MachineSpec['accelerator'];
  /** One sentence for people. */
  readonly why: string;
}

/** Boots the image by KVM for a moment, where there is one, and says what to use. */
export async function findAccelerator(image: string, device = '/dev/kvm', probeMs = PROBE_MS): Promise<Accelerator> {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
  } catch (thrown) {
    return emulation(`${device} cannot be used (${(thrown as NodeJS.ErrnoException).code})`);
  }
  const spec = { accelerator: 'kvm', drive: { path: image, writable: false }, cards: [], memoryMiB: 512 } as const;
  const guest = new Guest(spec, { limitMs: probeMs });
  try {
    await guest.console.line(KERNEL_SPEAKS, probeMs);
    return { name: 'kvm', why: 'KVM runs the kernel of the image' };
  } catch {
    await guest.end();
    const [complaint = ''] = (await guest.ended).trim().split('\n');
    return emulation(`KVM does not run the kernel of the image${complaint && ` (${complaint})`}`);
  } finally {
    await guest.end();
  }
}

function emulation(why: string): Accelerator {
  return { name: 'tcg', why: `${why}: the processor is emulated` };
}
