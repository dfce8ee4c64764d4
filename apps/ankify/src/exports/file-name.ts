/** The name a deck's package is saved under. */
import type { Deck } from '../decks/deck.ts';

/** `a::b` → `a - b.apkg`; without the characters that file systems refuse. */
export function fileName(deck: Pick<Deck, 'name'>): string {
  const name = deck.name.replaceAll('::', ' - ').replace(/[\\/:*?"<>|]/g, '_');
  return `${Array.from(name).slice(0, 100).join('').replace(/^\.+/, '')}.apkg`;
}
