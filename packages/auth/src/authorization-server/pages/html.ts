/** HTML that cannot be forgotten to be escaped, and what strangers wrote made fit to be shown (SEC-12). */

/** HTML that is known to be safe, because `html` made it. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A template whose values are escaped for text and quoted attributes alike. Lists are joined; undefined is nothing. */
export function html(
  strings: TemplateStringsArray,
  ...values: ReadonlyArray<string | Html | readonly Html[] | undefined>
): Html {
  const parts = values.map((value) => {
    if (value === undefined) return '';
    if (typeof value === 'string') return escaped(value);
    return value instanceof Html ? value.text : value.map((item) => item.text).join('');
  });
  return new Html(String.raw({ raw: strings }, ...parts));
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/**
 * Text that a stranger chose, fit to be shown: without control, direction-changing and invisible characters, on one
 * line, and not long. A name that is empty then was not meant to be read.
 */
export function strangersText(text: string, maxLength = 80): string {
  const line = text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu, ' ')
    .replace(/\s+/gu, ' ')
    .trim();
  const characters = [...line];
  return characters.length > maxLength ? `${characters.slice(0, maxLength - 1).join('')}…` : line;
}
