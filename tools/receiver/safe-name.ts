/** File names from the other side made harmless: one plain path component, never hidden, never empty. */

const MAX_BYTES = 200;

/** Keeps letters, digits, space and `._-+()@=,`; everything else becomes `_`, and so does a leading dot or dash. */
export function safeName(name: string): string {
  const plain = name
    .normalize('NFC')
    .replace(/[^\p{L}\p{N} ._\-+()@=,]/gu, '_')
    .trim();
  const visible = plain.replace(/^[.-]+/, '_').replace(/[. ]+$/, '_');
  let short = visible;
  while (Buffer.byteLength(short) > MAX_BYTES) short = short.slice(0, -1);
  return short === '' ? '_' : short;
}
