/** `GET /exports/<token>.apkg`: the package a download link stands for, or a page that says what to do instead. */
import { apkgMediaType, writeApkg } from '../anki/apkg.ts';
import type { Deck, DeckRecords } from '../decks/deck.ts';
import { openLink, ownerDigest } from './link.ts';

export interface Download {
  readonly status: 200 | 404 | 410;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
  /** For the log; undefined where the link is none of ours. */
  readonly deckId?: string;
}

export interface DownloadOptions {
  readonly records: DeckRecords;
  readonly linkKey: Uint8Array;
  readonly now: () => number;
}

const unknownLink = 'This link is not valid. Perhaps it was cut off on the way: copy the whole link and try again.';
const expiredLink = 'This link has expired. Ask Ankify to export the deck again, and it gives you a new one.';
const changedDeck = 'The deck has changed since this link was made. Ask Ankify to export it again.';
const deletedDeck = 'The deck of this link has been deleted.';

export async function download({ records, linkKey, now }: DownloadOptions, token: string): Promise<Download> {
  const link = openLink(linkKey, token);
  if (!link) return page(404, unknownLink);
  const { deckId } = link;
  if (link.expiresAt <= now()) return page(410, expiredLink, deckId);
  const deck = (await records.get('deck', deckId))?.value;
  if (!deck || !ownerDigest(deck.owner).equals(link.ownerDigest)) return page(404, deletedDeck, deckId);
  if (deck.version !== link.version) return page(410, changedDeck, deckId);
  const contents = (await records.get('cards', deck.contents))?.value;
  if (!contents) return page(404, deletedDeck, deckId);
  return {
    status: 200,
    headers: {
      'content-type': apkgMediaType,
      'content-disposition': `attachment; filename="deck.apkg"; filename*=UTF-8''${percentEncode(fileName(deck))}`,
      ...guardHeaders,
    },
    body: writeApkg({ deck, cards: contents.cards }),
    deckId,
  };
}

/** `a::b` → `a - b.apkg`; without the characters that file systems refuse. */
export function fileName(deck: Deck): string {
  const name = deck.name.replaceAll('::', ' - ').replace(/[\\/:*?"<>|]/g, '_');
  return `${Array.from(name).slice(0, 100).join('').replace(/^\.+/, '')}.apkg`;
}

/** A capability in the path: it must not be cached, nor travel on in a `Referer`. */
const guardHeaders = {
  'cache-control': 'private, no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

function page(status: 404 | 410, text: string, deckId?: string): Download {
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      ...guardHeaders,
    },
    body: `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Ankify: no download</title>
<style>body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36em; margin: 4em auto; padding: 0 1em;
  color-scheme: light dark }</style>
<h1>No download</h1><p>${text}</p></html>
`,
    ...(deckId !== undefined && { deckId }),
  };
}

/** RFC 8187 §3.2.1: what `encodeURIComponent` leaves but a header parameter may not hold. */
function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
