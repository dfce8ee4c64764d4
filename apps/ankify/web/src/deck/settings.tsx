/** What holds for all cards of a deck: languages and speech; and its end. */
import { useSignal } from '@preact/signals';
import { about, deleteDeck } from '../api/decks.ts';
import type { Deck } from '../api/shapes.ts';
import { LanguageChoice } from '../look/language-choice.tsx';
import { ProblemNote, Question } from '../look/parts.tsx';
import { go } from '../look/router.tsx';
import { SpeechChoice } from '../look/speech-choice.tsx';
import { words } from '../words/language.ts';
import type { DeckEditor } from './deck-state.ts';
import { dropUnsaved } from './unsaved.ts';

export function Settings({ editor, deck }: { readonly editor: DeckEditor; readonly deck: Deck }) {
  const { deck: text, languages } = words.value;
  const asks = useSignal(false);
  const error = useSignal<unknown>(undefined);
  const wanted = editor.patch.value;
  const front = wanted?.front_language === undefined ? (deck.front_language ?? '') : (wanted.front_language ?? '');
  const back = wanted?.back_language === undefined ? (deck.back_language ?? '') : (wanted.back_language ?? '');
  const speech = wanted?.audio ?? deck.audio;
  const setLanguage = (side: 'front_language' | 'back_language', tag: string, other: string) => {
    // Without any language there is no voice, and the server would refuse both together.
    editor.change({ [side]: tag || null, ...(tag === '' && other === '' && { audio: 'off' as const }) });
  };
  const remove = async () => {
    asks.value = false;
    try {
      await deleteDeck(deck.deck_id);
      dropUnsaved(deck.deck_id);
      go('/');
    } catch (cause) {
      error.value = cause;
    }
  };
  return (
    <details class="settings">
      <summary>{text.settings}</summary>
      <div class="settings-body">
        <div class="two">
          <LanguageChoice
            label={languages.front}
            value={front}
            onChange={(tag) => setLanguage('front_language', tag, back)}
          />
          <LanguageChoice
            label={languages.back}
            value={back}
            onChange={(tag) => setLanguage('back_language', tag, front)}
          />
        </div>
        <SpeechChoice
          value={speech}
          hasLanguage={front !== '' || back !== ''}
          canRecord={about.value?.speech != null}
          onChange={(audio) => editor.change({ audio })}
        />
        {error.value !== undefined && <ProblemNote error={error.value} />}
        <button
          type="button"
          class="button is-danger-quiet"
          onClick={() => {
            asks.value = true;
          }}
        >
          {text.delete}
        </button>
        {asks.value && (
          <Question
            title={text.deleteAsk(deck.name)}
            text={text.deleteText}
            yes={text.deleteYes}
            onYes={() => void remove()}
            onNo={() => {
              asks.value = false;
            }}
          />
        )}
      </div>
    </details>
  );
}
