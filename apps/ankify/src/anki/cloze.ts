/** Cloze deletions, `{{c1::text::hint}}`: checks them, escapes everything around them, and counts the cards they make. */
import { escapeField } from './field.ts';

/** Each note owns this many consecutive card ids, so that a card keeps its id when others are added to the note. */
export const maxClozeNumber = 50;
const maxDepth = 3;

export type Cloze =
  | {
      /** The escaped field, the deletions' own braces intact. */
      readonly html: string;
      /** Rising and from 0: c1 is the card with ordinal 0. */
      readonly ordinals: readonly number[];
    }
  | { readonly refused: string };

/** `refused` says in words for the author what is wrong. */
export function parseCloze(text: string): Cloze {
  const numbers = new Set<number>();
  const open: Array<{ readonly marker: string; readonly contentAt: number }> = [];
  let html = '';
  let at = 0;
  for (const match of text.matchAll(/\{\{c(\d{1,9})::|\}\}/g)) {
    const number = match[1];
    html += escapeField(text.slice(at, match.index));
    at = match.index + match[0].length;
    if (number !== undefined) {
      const value = Number(number);
      if (value < 1 || value > maxClozeNumber) return { refused: `cloze numbers go from c1 to c${maxClozeNumber}` };
      if (open.length === maxDepth) return { refused: `clozes are nested more than ${maxDepth} deep` };
      numbers.add(value);
      open.push({ marker: match[0], contentAt: at });
    } else {
      const opened = open.pop();
      if (opened) {
        const hidden = text.slice(opened.contentAt, match.index);
        if (hidden.trim() === '' || hidden.startsWith('::')) return { refused: `${opened.marker}}} hides nothing` };
      }
    }
    html += match[0];
  }
  const unclosed = open.pop();
  if (unclosed) return { refused: `${unclosed.marker} is never closed with }}` };
  if (numbers.size === 0) return { refused: 'it has no cloze; mark what to hide as {{c1::hidden text}}' };
  html += escapeField(text.slice(at));
  return { html, ordinals: Array.from(numbers, (number) => number - 1).sort((a, b) => a - b) };
}
