/** How the cards of a deck sound. */
import type { Speech } from '../api/shapes.ts';
import { words } from '../words/language.ts';
import { Choice } from './parts.tsx';

interface SpeechChoiceProps {
  readonly value: Speech;
  readonly hasLanguage: boolean;
  /** Whether the server can record. */
  readonly canRecord: boolean;
  readonly onChange: (value: Speech) => void;
}

export function SpeechChoice({ value, hasLanguage, canRecord, onChange }: SpeechChoiceProps) {
  const { speech } = words.value;
  const options: readonly Speech[] =
    canRecord || value === 'recorded' ? ['off', 'device', 'recorded'] : ['off', 'device'];
  return (
    <div>
      <Choice
        legend={speech.label}
        name="speech"
        value={value}
        options={options.map((option) => ({
          value: option,
          ...speech[option],
          disabled: option !== 'off' && !hasLanguage,
        }))}
        onChange={onChange}
      />
      {!hasLanguage && <p class="hint">{speech.needsLanguage}</p>}
    </div>
  );
}
