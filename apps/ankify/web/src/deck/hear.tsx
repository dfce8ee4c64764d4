/** The button that lets a side of a card be heard, and says with which voice. */
import { useSignal } from '@preact/signals';
import type { Deck, Side } from '../api/shapes.ts';
import { Icon } from '../look/icons.tsx';
import { tell } from '../look/news.tsx';
import { problemWords } from '../look/parts.tsx';
import { languageName, words } from '../words/language.ts';
import type { DeckEditor } from './deck-state.ts';
import type { Row } from './rows.ts';
import { NoVoice, playDevice, playRecorded, silence, sounding, Unplayable } from './sound.ts';

interface HearProps {
  readonly editor: DeckEditor;
  readonly deck: Deck;
  readonly row: Row;
  readonly side: Side;
}

export function Hear({ editor, deck, row, side }: HearProps) {
  const { hear } = words.value.deck;
  const asking = useSignal(false);
  const language =
    side === 'front' ? (row.frontLanguage ?? deck.front_language) : (row.backLanguage ?? deck.back_language);
  const text = row[side];
  if (deck.audio === 'off' || language === undefined || text.trim() === '') return null;
  const now = sounding.value;
  const isMine = now?.key === row.key && now.side === side;
  const toggle = async () => {
    if (isMine) return silence();
    asking.value = true;
    try {
      if (deck.audio === 'device') await playDevice(row.key, side, text, language);
      else {
        // The server speaks what it has.
        const isSaved = await editor.flush();
        const cardId = editor.rows.value.find(({ key }) => key === row.key)?.cardId;
        if (!isSaved || cardId === undefined) {
          const { status, incomplete } = words.value.deck;
          return tell(isSaved ? incomplete : status[editor.status.value]);
        }
        await playRecorded(row.key, side, { deckId: deck.deck_id, cardId, text, language });
      }
    } catch (error) {
      if (error instanceof NoVoice) tell(hear.noVoice(languageName(language)));
      else if (error instanceof Unplayable) tell(hear.failed);
      else {
        const { what, cure } = problemWords(error);
        tell(`${what}. ${cure}`);
      }
    } finally {
      asking.value = false;
    }
  };
  const label = `${hear[side]} (${languageName(language)}, ${hear[deck.audio]})`;
  const isBusy = asking.value && now?.is !== 'playing';
  return (
    <button
      type="button"
      class={`button is-icon hear${isMine ? ' is-on' : ''}${isBusy ? ' is-busy' : ''}`}
      aria-label={isMine ? hear.stop : label}
      title={isMine ? hear.stop : label}
      data-hear={side}
      data-state={isMine ? now.is : 'silent'}
      onClick={() => void toggle()}
    >
      <Icon name={isMine && now.is === 'playing' ? 'stop' : 'speaker'} />
    </button>
  );
}
