/** Text that a stranger wrote, made harmless for a terminal. */

const MAX_CHARACTERS = 400;

/** Printable ASCII as it is, everything else (escape sequences, direction marks, line ends) as `\u{...}`; cut when long. */
export function printable(text: string, most = MAX_CHARACTERS): string {
  const cut = text.length > most ? `${text.slice(0, most)} (and ${text.length - most} more characters)` : text;
  return cut.replace(/[^\x20-\x7e]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}
