/**
 * Unified kernel images: one PE file that UEFI starts, with kernel, initramfs and command line as sections of
 * systemd's stub. One file to sign or to measure, and nothing that a firmware or its user could change in between.
 */

/** A section's name (at most 8 characters, the first a point) and its content. */
export type Section = readonly [name: string, content: Buffer];

const SECTION_HEADER = 40;
/** Initialised data, readable. */
const CHARACTERISTICS = 0x40000040;

/** `stub` with `sections` appended, in their order. Throws a RangeError when the stub has no room or is no PE32+ file. */
export function addSections(stub: Buffer, sections: readonly Section[]): Buffer {
  const pe = stub.readUInt32LE(0x3c);
  const optional = pe + 24;
  if (stub.toString('latin1', pe, pe + 4) !== 'PE\0\0' || stub.readUInt16LE(optional) !== 0x20b) {
    throw new RangeError('the stub is no PE32+ file');
  }
  const count = stub.readUInt16LE(pe + 6);
  const headers = optional + stub.readUInt16LE(pe + 20);
  const sectionAlignment = stub.readUInt32LE(optional + 32);
  const fileAlignment = stub.readUInt32LE(optional + 36);
  const room = stub.readUInt32LE(optional + 60);
  if (headers + (count + sections.length) * SECTION_HEADER > room) {
    throw new RangeError(`the stub has no room for ${sections.length} more sections`);
  }

  const head = Buffer.from(stub);
  const parts: Buffer[] = [head];
  const last = headers + (count - 1) * SECTION_HEADER;
  let address = align(stub.readUInt32LE(last + 12) + stub.readUInt32LE(last + 8), sectionAlignment);
  let at = align(stub.length, fileAlignment);
  parts.push(Buffer.alloc(at - stub.length));
  for (const [index, [name, content]] of sections.entries()) {
    const size = align(content.length, fileAlignment);
    const header = headers + (count + index) * SECTION_HEADER;
    head.fill(0, header, header + SECTION_HEADER);
    head.write(name, header, 8, 'latin1');
    head.writeUInt32LE(content.length, header + 8);
    head.writeUInt32LE(address, header + 12);
    head.writeUInt32LE(size, header + 16);
    head.writeUInt32LE(at, header + 20);
    head.writeUInt32LE(CHARACTERISTICS, header + 36);
    parts.push(content, Buffer.alloc(size - content.length));
    at += size;
    address = align(address + content.length, sectionAlignment);
  }
  head.writeUInt16LE(count + sections.length, pe + 6);
  head.writeUInt32LE(address, optional + 56); // the size of the image in memory
  return Buffer.concat(parts);
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
