/** Who hangs up while a card is being spoken has used the engine: it stays counted, or speech would be free. */
import { expect, test } from 'vitest';
import { speechRoutes } from '../src/api/speech-routes.ts';
import { createShelf } from '../src/decks/shelf.ts';
import { audioStore } from '../src/speech/audio-store.ts';
import { SpeechUnavailable } from '../src/speech/speech.ts';
import { gate, german, openWorkshop, scriptedSpeech } from './workshop.ts';

async function hearing() {
  const speech = scriptedSpeech();
  const workshop = await openWorkshop({ speech });
  const { records, usage, blobs, log } = workshop;
  const now = () => Date.now() / 1000;
  const shelf = createShelf(records, now, usage);
  const recorded = { speech, audio: audioStore({ blobs, speech }) };
  const link = () => ({ url: '', expiresAt: 0 });
  const routes = speechRoutes({ ...workshop, shelf, recorded, link, now, log });
  const hear = routes.find(({ id }) => id === 'hearCard');
  const deck = await shelf.add('anna', german(1));
  const card_id = (await shelf.read('anna', deck.id))?.cards[0]?.id;
  const query = { deck_id: deck.id, card_id, side: 'front' };
  return {
    speech,
    hear: async (signal: AbortSignal) =>
      hear?.handle({ owner: 'anna', params: {}, query, body: undefined, headers: {}, signal }),
    used: async () => (await usage.report('anna')).used.characters,
    close: () => workshop.close(),
  };
}

test('what was begun stays counted when the caller hangs up', async () => {
  const { speech, hear, used, close } = await hearing();
  const [speaking, held] = [gate(), gate()];
  speech.before = () => {
    speaking.open();
    return held.opened;
  };
  const caller = new AbortController();
  const answer = expect(hear(caller.signal)).rejects.toThrow('gone');
  await speaking.opened;
  caller.abort(new Error('gone'));
  await answer;
  expect(await used()).toBeGreaterThan(0);
  held.open();
  await close();
});

test('what the engine failed to say is given back', async () => {
  const { speech, hear, used, close } = await hearing();
  speech.before = () => {
    throw new SpeechUnavailable('Not now.', { retrySeconds: 1 });
  };
  await expect(hear(new AbortController().signal)).rejects.toThrow('Not now.');
  expect(await used()).toBe(0);
  await close();
});
