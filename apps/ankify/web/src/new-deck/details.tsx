/** What the cards are and how they sound, and what that costs of this month's quota. */
import { about } from '../api/decks.ts';
import type { NoteType, Usage } from '../api/shapes.ts';
import { LanguageChoice } from '../look/language-choice.tsx';
import { Choice } from '../look/parts.tsx';
import { SpeechChoice } from '../look/speech-choice.tsx';
import { number, words } from '../words/language.ts';
import { backLanguage, chosenSpeech, frontLanguage, noteType, speech, way } from './plan.ts';

interface DetailsProps {
  /** Of recorded speech. */
  readonly characters: number;
  readonly tokens: number;
  readonly usage: Usage | undefined;
}

export function Details({ characters, tokens, usage }: DetailsProps) {
  const { make: text, noteTypes, languages } = words.value;
  const types: readonly NoteType[] = ['basic', 'reversed', 'cloze'];
  return (
    <>
      <Choice
        legend={text.noteType}
        name="note-type"
        value={noteType.value}
        options={[
          ...(way.value === 'topic' ? [] : [{ value: 'guess' as const, name: text.guess }]),
          ...types.map((value) => ({ value, ...noteTypes[value] })),
        ]}
        onChange={(value) => {
          noteType.value = value;
        }}
      />
      <div class="two">
        <LanguageChoice
          label={languages.front}
          value={frontLanguage.value}
          onChange={(tag) => {
            frontLanguage.value = tag;
          }}
        />
        <LanguageChoice
          label={languages.back}
          value={backLanguage.value}
          onChange={(tag) => {
            backLanguage.value = tag;
          }}
        />
      </div>
      <SpeechChoice
        value={speech.value}
        hasLanguage={frontLanguage.value !== '' || backLanguage.value !== ''}
        canRecord={about.value?.speech != null}
        onChange={(value) => {
          chosenSpeech.value = value;
        }}
      />
      {usage && <Cost characters={speech.value === 'recorded' ? characters : 0} tokens={tokens} usage={usage} />}
    </>
  );
}

function Cost({ characters, tokens, usage }: { characters: number; tokens: number; usage: Usage }) {
  const { cost } = words.value.make;
  const left = ({ used, limit }: { used: number; limit: number }) => Math.max(0, limit - used);
  const charactersLeft = left(usage.characters);
  return (
    <div class="cost">
      {characters === 0 && tokens === 0 && <p>{cost.free}</p>}
      {tokens > 0 && <p>{cost.model(number(tokens), number(left(usage.model_tokens)))}</p>}
      {characters > 0 && (
        <p class={characters > charactersLeft ? 'is-bad' : ''}>
          {(characters > charactersLeft ? cost.speechTooMuch : cost.speech)(number(characters), number(charactersLeft))}
        </p>
      )}
    </div>
  );
}
