/** Text inside XML and HTML. */

const NAMED: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;', "'": '&#39;' };

/** Text for the inside of an element or a quoted attribute; characters that XML 1.0 does not allow become `?`. */
export function escapeMarkup(text: string): string {
  return text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, '?').replace(/[<>&"']/g, (letter) => NAMED[letter]!);
}
