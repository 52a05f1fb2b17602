/** File names from the other side made harmless: one plain path component, never hidden, never empty. */

const MAX_BYTES = 200;

/** Keeps letters, digits, space and `._-+()@=,`; everything else becomes `_`, and so does a leading dot or dash. */
export function safeName(name: string): string {
  const plain = name
    .normalize('NFC')
    .replace(/[^\p{L}\p{N} ._\-+()@=,]/gu, '_')
    .trim();
  const visible = plain.replace(/^[.-]+/, '_').replace(/[. ]+$/, '_');
  const letters = [...visible];
  while (Buffer.byteLength(letters.join('')) > MAX_BYTES) letters.pop();
  return letters.join('') || '_';
}
