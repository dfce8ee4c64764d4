/** Which problem an error of the rooms below is; whatever is none of theirs is a fault. */
import { ContentionError, RecordsUnavailableError } from '@mcp-gatehouse/records';
import { DeckConflict, DeckRefusal } from '../decks/deck.ts';
import { SpeechRefusal, SpeechUnavailable } from '../speech/speech.ts';
import { Problem } from './problem.ts';

export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DeckConflict) {
    return new Problem('deck-changed', error.message, { members: { version: error.version } });
  }
  if (error instanceof DeckRefusal) return new Problem(error.quota ? 'quota-reached' : 'deck-refused', error.message);
  if (error instanceof SpeechRefusal) return new Problem('cannot-be-spoken', error.message);
  if (error instanceof SpeechUnavailable) {
    return new Problem('unavailable', error.message, { retrySeconds: error.retrySeconds });
  }
  if (error instanceof ContentionError) {
    return new Problem('unavailable', 'The same thing was being changed at the same time. Try again.', {
      retrySeconds: 1,
    });
  }
  if (error instanceof RecordsUnavailableError) {
    return new Problem('unavailable', 'The database cannot be reached. Try again soon.', { retrySeconds: 5 });
  }
  return new Problem('fault', 'Ankify failed; nothing was changed. Try again in a minute.');
}
