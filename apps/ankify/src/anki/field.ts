/** Plain text to the HTML of an Anki field, and the sort field and checksum Anki derives from it. */
import { createHash } from 'node:crypto';

/**
 * Text that Anki shows as it was typed. Beside HTML's own characters, `[` is escaped, because `[sound:…]`, `[latex]`
 * and `[anki:…]` are commands in a field, and `{{`, because older programs expand it a second time.
 */
export function escapeField(text: string): string {
  return normalizeText(text)
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/'/g, '&#39;')
    .replace(/\[/g, '&#91;')
    .replace(/\{(?=\{)/g, '&#123;')
    .replace(/\n/g, '<br>');
}

/**
 * A field as Anki sorts it in its browser: without tags and with its entities read. Anki turns a no-break space into a
 * plain one there, but only if it found an entity.
 */
export function sortField(html: string): string {
  const text = html.replaceAll('<br>', '');
  if (!text.includes('&')) return text;
  return text
    .replace(/&(?:#(\d+)|(lt|gt|quot|amp));/g, (_, code?: string, name?: string) =>
      code === undefined ? (entities.get(name ?? '') ?? '') : String.fromCharCode(Number(code)),
    )
    .replaceAll('\u00a0', ' ');
}

const entities = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['amp', '&'],
]);

/** The first 32 bits of the SHA-1 of that: how Anki finds notes with an equal first field. */
export function fieldChecksum(html: string): number {
  return createHash('sha1').update(sortField(html), 'utf8').digest().readUInt32BE(0);
}

/** Anki keeps every text in NFC; done here, or an equal note would look changed after its import. */
function normalizeText(text: string): string {
  return text.normalize('NFC').replace(/\r\n?/g, '\n');
}
