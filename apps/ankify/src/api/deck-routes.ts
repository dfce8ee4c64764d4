/** `/decks`: the decks of the caller without their cards, and the link to the package of one. */
import * as z from 'zod';
import { type Deck, DeckRefusal, type Speech } from '../decks/deck.ts';
import { checkCard, checkLanguage, checkName, checkSpeech, type Draft } from '../decks/draft.ts';
import { decksPerPage } from '../decks/shelf.ts';
import { fileName } from '../exports/file-name.ts';
import { jobId } from '../jobs/job.ts';
import { type Fault, Problem } from './problem.ts';
import { type Answer, type Call, type Route, route } from './route.ts';
import type { Services } from './services.ts';
import * as shapes from './shapes.ts';

const one = { description: 'The deck.', schema: shapes.deck };

export function deckRoutes(services: Services): readonly Route[] {
  const { shelf, jobs, log } = services;
  return [
    route({
      method: 'GET',
      path: '/decks',
      id: 'listDecks',
      scope: 'list_decks',
      summary: `Your decks in the order of their creation, ${decksPerPage} a page`,
      query: z.strictObject({ cursor: shapes.cursor }),
      answers: {
        200: {
          description: 'A page; without `next_cursor` the last.',
          schema: z.strictObject({ decks: z.array(shapes.deck), next_cursor: z.string().optional() }),
        },
      },
      problems: [],
      async handle({ owner, query: { cursor } }) {
        const { decks, next } = await shelf.list(owner, cursor).catch((error: unknown) => {
          throw cursor !== undefined && error instanceof DeckRefusal ? badCursor() : error;
        });
        return {
          status: 200,
          json: { decks: decks.map(shapes.describeDeck), ...(next !== undefined && { next_cursor: next }) },
        };
      },
    }),
    route({
      method: 'POST',
      path: '/decks',
      id: 'createDeck',
      scope: 'generate_deck',
      summary: 'Make a deck of cards you have written',
      body: shapes.newDeck,
      keyed: true,
      answers: { 201: one },
      problems: ['no-speech', 'deck-refused', 'quota-reached'],
      async handle({ owner, body }) {
        refuseUnrecordable(services, body.audio);
        const deck = await shelf.add(owner, draftOf(body));
        log({ event: 'deck.stored', deckId: deck.id, cards: deck.cardCount, malformedRows: 0 });
        return deckAnswer(deck, 201, { location: `decks/${deck.id}` });
      },
    }),
    route({
      method: 'GET',
      path: '/decks/{deck_id}',
      id: 'readDeck',
      scope: 'list_decks',
      summary: 'One deck, without its cards',
      params: shapes.deckParams,
      answers: { 200: one, 304: { description: 'It is what `If-None-Match` says.' } },
      problems: ['not-found'],
      async handle({ owner, params, headers }) {
        const deck = await deckOf(services, owner, params.deck_id);
        if (matches(headers['if-none-match'], deck, 'weak')) return { status: 304, headers: { etag: etagOf(deck) } };
        return deckAnswer(deck);
      },
    }),
    route({
      method: 'PATCH',
      path: '/decks/{deck_id}',
      id: 'changeDeck',
      scope: 'generate_deck',
      summary: 'Change the name, the languages or the speech of a deck',
      params: shapes.deckParams,
      body: shapes.deckPatch,
      answers: { 200: one },
      problems: ['not-found', 'no-speech', 'deck-changed', 'precondition-failed', 'deck-refused'],
      async handle(call) {
        const { name, front_language, back_language, audio, version } = call.body;
        refuseUnrecordable(services, audio);
        const edited = await expecting(services, call, version, (expectedVersion) =>
          shelf.edit(call.owner, call.params.deck_id, {
            expectedVersion,
            name,
            frontLanguage: front_language === null ? '' : front_language,
            backLanguage: back_language === null ? '' : back_language,
            speech: audio,
          }),
        );
        return deckAnswer(edited.deck);
      },
    }),
    route({
      method: 'DELETE',
      path: '/decks/{deck_id}',
      id: 'deleteDeck',
      scope: 'generate_deck',
      summary: 'Delete a deck for good; its download links end',
      params: shapes.deckParams,
      answers: { 204: { description: 'It is gone.' } },
      problems: ['not-found', 'precondition-failed'],
      async handle({ owner, params, headers }) {
        const deck = await deckOf(services, owner, params.deck_id);
        refuseOther(headers['if-match'], deck);
        if (!(await shelf.remove(owner, deck.id))) throw noDeck();
        const speech = jobId(owner, { kind: 'speech', deckId: deck.id, version: deck.version });
        await jobs.cancel(owner, speech, 'The deck was deleted.');
        log({ event: 'deck.deleted', deckId: deck.id });
        return { status: 204 };
      },
    }),
    route({
      method: 'GET',
      path: '/decks/{deck_id}/export',
      id: 'exportDeck',
      scope: 'generate_deck',
      summary: 'A link to the .apkg file, or the job that records its speech first',
      params: shapes.deckParams,
      answers: {
        200: {
          description: 'Anyone who has the link can download the file until it expires; it needs no token.',
          schema: z.strictObject({
            status: z.literal('ready'),
            download_url: z.url(),
            expires_at: shapes.time,
            file_name: z.string(),
          }),
        },
        202: {
          description: 'Clips are missing and are being recorded. Ask again when the job has ended.',
          schema: z.strictObject({ status: z.literal('working'), job: shapes.job }),
        },
      },
      problems: ['not-found', 'no-speech', 'quota-reached'],
      async handle({ owner, params }) {
        const deck = await deckOf(services, owner, params.deck_id);
        const job = await services.pendingSpeech(owner, deck);
        // One that is done has recorded what can be recorded: the package goes without the rest.
        if (job && job.state !== 'done')
          return jobAnswer({ status: 'working', job: shapes.describeJob(job) }, `../../jobs/${job.id}`);
        const { url, expiresAt } = services.link(deck);
        const expires_at = shapes.isoTime(expiresAt);
        return {
          status: 200,
          json: { status: 'ready', download_url: url, expires_at, file_name: fileName(deck) },
        };
      },
    }),
  ];
}

/** `location`: relative to the request, because only the gateway knows the address it was called by (RFC 9110 §10.2.2). */
export function jobAnswer(json: unknown, location: string): Answer {
  return { status: 202, headers: { location }, json };
}

/** A deck that asks for what this process has no means for would never be ready. */
export function refuseUnrecordable({ recorded }: Services, audio: Speech | undefined): void {
  if (audio === 'recorded' && !recorded) throw noSpeech();
}

export function noSpeech(): Problem {
  return new Problem(
    'no-speech',
    'No speech is recorded on this server. Choose the audio "device": Anki speaks itself.',
  );
}

/** Missing, malformed and somebody else's look alike: the ids of others must not be guessable by their answers. */
export async function deckOf({ shelf }: Services, owner: string, deckId: string): Promise<Deck> {
  const deck = shapes.isId(deckId) ? await shelf.find(owner, deckId) : undefined;
  if (!deck) throw noDeck();
  return deck;
}

export function noDeck(): Problem {
  return new Problem('not-found', 'There is no such deck among yours.');
}

export function badCursor(): Problem {
  return new Problem('invalid-request', '?cursor: it is no next_cursor of this list. Leave it out to begin anew.', {
    errors: [{ pointer: '?cursor', detail: 'it is no next_cursor of this list' }],
  });
}

/** A strong validator: what the deck and its cards look like follows from the version (RFC 9110 §8.8.3). */
export function etagOf({ version }: Deck): string {
  return `"${version}"`;
}

function deckAnswer(deck: Deck, status = 200, headers: Record<string, string> = {}): Answer {
  return { status, headers: { etag: etagOf(deck), ...headers }, json: shapes.describeDeck(deck) };
}

/** RFC 9110 §13.1: `If-Match` compares strongly, `If-None-Match` weakly. */
export function matches(header: string | undefined, deck: Deck, comparison: 'strong' | 'weak'): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => (comparison === 'weak' ? tag.replace(/^W\//, '') : tag) === etagOf(deck));
}

function refuseOther(ifMatch: string | undefined, deck: Deck): void {
  if (ifMatch === undefined || matches(ifMatch, deck, 'strong')) return;
  throw new Problem('precondition-failed', `The deck has version ${deck.version} now. Read it again.`, {
    members: { version: deck.version },
  });
}

/** An edit under the version that the body or `If-Match` expects; the shelf compares it in the very write. */
export async function expecting<T>(
  services: Services,
  { owner, params, headers }: Pick<Call<{ deck_id: string }, unknown, unknown>, 'owner' | 'params' | 'headers'>,
  version: number | undefined,
  edit: (expectedVersion: number | undefined) => Promise<T | undefined>,
): Promise<T> {
  const ifMatch = headers['if-match'];
  const deck = await deckOf(services, owner, params.deck_id);
  if (ifMatch !== undefined) refuseOther(ifMatch, deck);
  const expected = version ?? (ifMatch === undefined || ifMatch.trim() === '*' ? undefined : deck.version);
  const edited = await edit(expected);
  if (edited === undefined) throw noDeck();
  return edited;
}

/** Throws a `Problem` that points to every card at fault. */
function draftOf(body: z.output<typeof shapes.newDeck>): Draft {
  const errors: Fault[] = [];
  const attempt = <T>(pointer: string, check: () => T): T | undefined => {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof DeckRefusal)) throw error;
      errors.push({ pointer, detail: error.message });
      return undefined;
    }
  };
  const name = attempt('/name', () => checkName(body.name));
  const frontLanguage = attempt('/front_language', () => checkLanguage('front_language', body.front_language));
  const backLanguage = attempt('/back_language', () => checkLanguage('back_language', body.back_language));
  const cards = body.cards.flatMap((text, index) => {
    const card = checkCard(body.note_type, cardText(text));
    if (typeof card !== 'string') return [card];
    errors.push(cardFault(`/cards/${index}`, card));
    return [];
  });
  const hasLanguage = frontLanguage ?? backLanguage ?? cards.find((card) => card.frontLanguage ?? card.backLanguage);
  const speech = body.audio ?? (hasLanguage ? 'device' : 'off');
  const languages = { ...(frontLanguage && { frontLanguage }), ...(backLanguage && { backLanguage }) };
  if (errors.length === 0) attempt('/audio', () => checkSpeech({ speech, ...languages }, cards));
  if (errors.length > 0 || name === undefined) throw refusedCards('No deck was made.', errors);
  return { name, noteType: body.note_type, ...languages, speech, cards };
}

export function cardText(text: z.output<typeof shapes.newCard>) {
  const { front_language: frontLanguage, back_language: backLanguage, ...rest } = text;
  return { ...rest, frontLanguage, backLanguage };
}

/** `checkCard` says `front: it is empty`. */
export function cardFault(pointer: string, refusal: string): Fault {
  const [, member, detail = refusal] =
    /^(front|back|extra|tags|front_language|back_language): (.*)$/s.exec(refusal) ?? [];
  return { pointer: member === undefined ? pointer : `${pointer}/${member}`, detail };
}

export function refusedCards(sentence: string, errors: readonly Fault[]): Problem {
  const [first] = errors;
  const detail =
    errors.length === 1 && first ? `${first.pointer}: ${first.detail}` : `${errors.length} things are wrong`;
  return new Problem('deck-refused', `${sentence} ${detail}${/[.]$/.test(detail) ? '' : '.'}`, {
    errors: errors.slice(0, 50),
  });
}
