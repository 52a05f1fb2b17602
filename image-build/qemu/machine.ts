/** The machines that an image is booted on: the words of QEMU's command line, and the packages that bring them. */
import { existsSync } from 'node:fs';
import { Problem } from '../../protocol/problem.ts';
import { onPath } from './host-tools.ts';

/** The firmware of the VM and the empty store of its variables, as Debian's package ovmf has them. */
const FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const FIRMWARE_VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd';

/** A network card: behind QEMU's own network (`forwards` lead from a port of 127.0.0.1 to one of the guest), or at a tap. */
export type NetworkCard = { readonly mac: string } & (
  | { readonly forwards: readonly { readonly host: number; readonly guest: number }[] }
  | { readonly tap: string }
);

export interface MachineSpec {
  readonly accelerator: 'kvm' | 'tcg';
  /** The image's file. `writable` lets the guest write to it, if it can bring itself to. */
  readonly drive: { readonly path: string; readonly writable: boolean };
  readonly cards: readonly NetworkCard[];
  readonly memoryMiB: number;
  /** The guest's memory is this file, so that others can look into it. */
  readonly memoryFile?: string;
}

export const PROGRAM = 'qemu-system-x86_64';

/** File descriptor of the control channel (QMP) in QEMU: a socket that stands before it starts. */
export const QMP_DESCRIPTOR = 3;

/** Refuses `tool-missing` with the command that installs what is not there. */
export function needMachine(): void {
  const missing = [
    ...(onPath(PROGRAM) ? [] : ['qemu-system-x86']),
    ...(existsSync(FIRMWARE) && existsSync(FIRMWARE_VARIABLES) ? [] : ['ovmf']),
  ];
  if (missing.length === 0) return;
  throw new Problem(
    'tool-missing',
    `booting needs Debian packages that are not here: apt-get install -y --no-install-recommends ${missing.join(' ')}`,
  );
}

/** QEMU's words for the VM: UEFI, two processors, no screen, and nothing that the command line does not name. */
export function machineWords({ accelerator, drive, cards, memoryMiB, memoryFile }: MachineSpec): string[] {
  return [
    ...['-nodefaults', '-no-reboot', '-display', 'none', '-machine', 'q35'],
    // Emulated: a processor of 2008, the oldest that Debian's kernel and Node run on.
    ...(accelerator === 'kvm' ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi', '-cpu', 'Nehalem']),
    ...['-smp', '2', '-m', `${memoryMiB}`],
    ...(memoryFile === undefined ? [] : memoryWords(memoryFile, memoryMiB)),
    ...['-serial', 'stdio', '-chardev', `socket,id=qmp,fd=${QMP_DESCRIPTOR}`, '-mon', 'chardev=qmp,mode=control'],
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${FIRMWARE}`],
    // What the firmware stores goes with the guest.
    ...['-drive', `if=pflash,unit=1,format=raw,snapshot=on,file=${FIRMWARE_VARIABLES}`],
    ...['-drive', `if=none,id=disk,format=raw,readonly=${drive.writable ? 'off' : 'on'},file=${drive.path}`],
    ...['-device', 'virtio-blk-pci,drive=disk', '-device', 'virtio-rng-pci', '-device', 'qemu-xhci,id=usb'],
    ...cards.flatMap((card, number) => cardWords(card, `card${number}`)),
  ];
}

function memoryWords(path: string, mebibytes: number): string[] {
  const file = `memory-backend-file,id=memory,share=on,size=${mebibytes}M,mem-path=${path}`;
  return ['-object', file, '-machine', 'memory-backend=memory'];
}

function cardWords(card: NetworkCard, id: string): string[] {
  const backend =
    'tap' in card
      ? `tap,id=${id},ifname=${card.tap},script=no,downscript=no`
      : ['user', `id=${id}`, ...card.forwards.map(forwardWord)].join(',');
  return ['-netdev', backend, '-device', `virtio-net-pci,netdev=${id},mac=${card.mac},romfile=`];
}

function forwardWord({ host, guest }: { readonly host: number; readonly guest: number }): string {
  return `hostfwd=tcp:127.0.0.1:${host}-:${guest}`;
}
