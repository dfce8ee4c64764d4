/** Recorded speech: the voices there are, one side of a card to be heard, and the job that records a deck. */
import * as z from 'zod';
import type { Card, DeckWithCards } from '../decks/deck.ts';
import { audioMediaType } from '../speech/audio-store.ts';
import type { Voice } from '../speech/speech.ts';
import { maxSpokenCharacters } from '../speech/speech.ts';
import { spokenText } from '../speech/spoken-text.ts';
import { rangeAnswer } from './byte-range.ts';
import { deckOf, jobAnswer, noSpeech } from './deck-routes.ts';
import { Problem } from './problem.ts';
import { type Route, route } from './route.ts';
import type { RecordedSpeech, Services } from './services.ts';
import * as shapes from './shapes.ts';

const side = z.enum(['front', 'back']);

export function speechRoutes(services: Services): readonly Route[] {
  const { recorded, shelf, jobs } = services;
  return [
    route({
      method: 'GET',
      path: '/voices',
      id: 'listVoices',
      scope: 'list_decks',
      summary: 'Who can record speech here, in which languages',
      answers: {
        200: {
          description: 'No provider: nothing is recorded here; Anki’s own speech (`device`) needs none.',
          schema: z.strictObject({
            provider: z.enum(['espeak-ng', 'polly']).nullable(),
            voices: z.array(
              z.strictObject({
                voice_id: z.string(),
                language: z.string().describe('BCP 47.'),
                name: z.string(),
                quality: z.enum(['robotic', 'neural']),
              }),
            ),
          }),
        },
      },
      problems: [],
      async handle() {
        const voices = recorded?.speech.voices() ?? [];
        return {
          status: 200,
          json: {
            provider: recorded?.speech.provider ?? null,
            voices: voices.map(({ id, language, name, quality }) => ({ voice_id: id, language, name, quality })),
          },
        };
      },
    }),
    route({
      method: 'GET',
      path: '/audio',
      id: 'hearCard',
      scope: 'generate_deck',
      summary: 'One side of a card, spoken',
      description: 'Recorded when it is first asked for, which counts its characters; a single range may be asked for.',
      query: z.strictObject({ deck_id: z.string(), card_id: z.string().max(64), side }),
      answers: {
        200: { description: 'MP3.', schema: audioMediaType },
        206: { description: 'The range that was asked for.', schema: audioMediaType },
      },
      problems: ['not-found', 'no-speech', 'cannot-be-spoken', 'quota-reached', 'range-not-satisfiable'],
      async handle({ owner, query, headers, signal }) {
        const found = shapes.isId(query.deck_id) ? await shelf.read(owner, query.deck_id) : undefined;
        const card = found?.cards.find(({ id }) => id === query.card_id);
        if (!found || !card) throw noCard();
        if (!recorded) throw noSpeech();
        const { text, voice } = spoken(recorded, found, card, query.side);
        const key = await record(services, recorded, { owner, text, voice, signal });
        const bytes = await recorded.audio.read(key);
        if (!bytes) throw new Problem('unavailable', 'The recording went away. Ask again.', { retrySeconds: 1 });
        // The key is of the content; the address is not, because the card can be edited.
        return rangeAnswer(bytes, headers.range, {
          'content-type': audioMediaType,
          'cache-control': 'private, no-cache',
          etag: `"${key.slice(6, 38)}"`,
        });
      },
    }),
    route({
      method: 'POST',
      path: '/decks/{deck_id}/audio',
      id: 'recordDeck',
      scope: 'generate_deck',
      summary: 'Record the speech of a deck whose audio is `recorded`',
      params: shapes.deckParams,
      keyed: true,
      answers: { 202: { description: 'The job; one that has ended found nothing to do.', schema: shapes.jobAnswer } },
      problems: ['not-found', 'no-speech', 'deck-refused'],
      async handle({ owner, params }) {
        const deck = await deckOf(services, owner, params.deck_id);
        if (!recorded) throw noSpeech();
        if (deck.speech !== 'recorded') {
          throw new Problem('deck-refused', 'The audio of this deck is not "recorded". Change that first.');
        }
        const job = await jobs.start(owner, { kind: 'speech', deckId: deck.id, version: deck.version });
        return jobAnswer({ job: shapes.describeJob(job) }, `../../jobs/${job.id}`);
      },
    }),
  ];
}

function noCard(): Problem {
  return new Problem('not-found', 'There is no such card in a deck of yours.');
}

function spoken({ speech }: RecordedSpeech, { deck }: DeckWithCards, card: Card, which: 'front' | 'back') {
  const language = card[`${which}Language`] ?? deck[`${which}Language`];
  if (language === undefined) throw unspeakable('This side has no language. Choose one to hear it.');
  const voice = speech.voiceFor(language);
  if (!voice) throw unspeakable(`${speech.provider} has no voice for ${language}.`);
  const text = spokenText(card[which]);
  if (text === '') throw unspeakable('There is nothing to say on this side.');
  if (Array.from(text).length > maxSpokenCharacters) {
    throw unspeakable(`This side is too long to be recorded: at most ${maxSpokenCharacters} characters.`);
  }
  return { text, voice };
}

function unspeakable(detail: string): Problem {
  return new Problem('cannot-be-spoken', detail);
}

interface Wanted {
  readonly owner: string;
  readonly text: string;
  readonly voice: Voice;
  readonly signal: AbortSignal;
}

/** The key of the clip, made and charged for if it was not there. */
async function record({ usage, now }: Services, { speech, audio }: RecordedSpeech, wanted: Wanted): Promise<string> {
  const { owner, text, voice, signal } = wanted;
  const key = audio.keyOf(text, voice);
  if (await audio.has(key)) return key;
  // An engine on this machine bills nothing, and still is work that one user must not take from all others.
  const characters = Math.max(speech.costOf(text, voice).characters, Array.from(text).length);
  const chargedAt = now();
  const refusal = await usage.charge(owner, { characters });
  if (refusal) throw new Problem('quota-reached', refusal.message);
  let made = false;
  try {
    ({ made } = await audio.make(text, voice, signal));
  } finally {
    // What was cut off may have been made, and billed: given back, hanging up in time would be free speech.
    if (!made && !signal.aborted) await usage.refund(owner, { characters }, chargedAt);
  }
  return key;
}
