/** `GET /exports/<token>.apkg`: the package a download link stands for, or a page that says what to do instead. */
import { apkgMediaType, writeApkg } from '../anki/apkg.ts';
import { attachment } from '../blobs/content-disposition.ts';
import type { Deck, DeckRecords } from '../decks/deck.ts';
import { fileName } from './file-name.ts';
import { openLink, ownerDigest } from './link.ts';
import type { Delivery, Packages } from './packages.ts';

export { fileName } from './file-name.ts';

export interface Download {
  readonly status: 200 | 302 | 404 | 409 | 410;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
  /** For the log; undefined where the link is none of ours. */
  readonly deckId?: string;
}

export interface DownloadOptions {
  readonly records: DeckRecords;
  /** Absent: a package is written anew for every download, and without recorded speech. */
  readonly packages?: Packages | undefined;
  readonly linkKey: Uint8Array;
  readonly now: () => number;
}

const unknownLink = 'This link is not valid. Perhaps it was cut off on the way: copy the whole link and try again.';
const expiredLink = 'This link has expired. Ask Ankify to export the deck again, and it gives you a new one.';
const changedDeck = 'The deck has changed since this link was made. Ask Ankify to export it again.';
const deletedDeck = 'The deck of this link has been deleted.';
const unfinished =
  'The recorded speech of this deck is not ready. Ask Ankify to export the deck again: it tells how far it is.';

export async function download(options: DownloadOptions, token: string): Promise<Download> {
  const { records, linkKey, now } = options;
  const link = openLink(linkKey, token);
  if (!link) return page(404, unknownLink);
  const { deckId } = link;
  if (link.expiresAt <= now()) return page(410, expiredLink, deckId);
  const deck = (await records.get('deck', deckId))?.value;
  if (!deck || !ownerDigest(deck.owner).equals(link.ownerDigest)) return page(404, deletedDeck, deckId);
  if (deck.version !== link.version) return page(410, changedDeck, deckId);
  const delivery: Delivery = options.packages ? await options.packages.deliver(deck) : await writtenAnew(records, deck);
  switch (delivery.kind) {
    case 'gone':
      return page(404, deletedDeck, deckId);
    case 'unfinished':
      return page(409, unfinished, deckId);
    case 'refused':
      return page(409, delivery.reason, deckId);
    case 'link':
      return { status: 302, headers: { location: delivery.url, ...guardHeaders }, body: '', deckId };
    case 'bytes':
      return {
        status: 200,
        headers: {
          'content-type': apkgMediaType,
          'content-disposition': attachment(fileName(deck), 'deck.apkg'),
          ...guardHeaders,
        },
        body: delivery.bytes,
        deckId,
      };
  }
}

async function writtenAnew(records: DeckRecords, deck: Deck): Promise<Delivery> {
  const contents = (await records.get('cards', deck.contents))?.value;
  return contents ? { kind: 'bytes', bytes: writeApkg({ deck, cards: contents.cards }) } : { kind: 'gone' };
}

/** A capability in the path: it must not be cached, nor travel on in a `Referer`. */
const guardHeaders = {
  'cache-control': 'private, no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

function page(status: 404 | 409 | 410, text: string, deckId?: string): Download {
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
<h1>No download</h1><p>${text.replaceAll('"', '&quot;')}</p></html>
`,
    ...(deckId !== undefined && { deckId }),
  };
}
