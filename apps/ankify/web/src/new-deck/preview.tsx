/** What the text would become: its cards as text, and the lines that are none, each one step away. */
import type { ReadonlySignal } from '@preact/signals';
import type { Parsed } from '../api/shapes.ts';
import { ProblemNote } from '../look/parts.tsx';
import { language, words } from '../words/language.ts';

const shownCards = 60;
const shownErrors = 20;

interface PreviewProps {
  readonly parsed: ReadonlySignal<Parsed | undefined>;
  readonly error: ReadonlySignal<unknown>;
  readonly onJump: (row: number) => void;
}

export function Preview({ parsed, error, onJump }: PreviewProps) {
  const { make: text } = words.value;
  const found = parsed.value;
  return (
    <section class="preview" aria-label={text.preview}>
      <div class="preview-head">
        <h2>{text.preview}</h2>
        <p class="quiet" role="status">
          {found && (found.cards.length > 0 || found.errors.length > 0)
            ? text.previewCount(found.cards.length, found.errors.length)
            : ''}
        </p>
      </div>
      {error.value !== undefined && <ProblemNote error={error.value} />}
      {found && found.errors.length > 0 && (
        <ul class="row-errors">
          {found.errors.slice(0, shownErrors).map((one) => (
            <li key={one.row}>
              <button
                type="button"
                class="button is-quiet"
                onClick={() => onJump(one.row)}
                title={text.lineJump(one.row)}
              >
                {text.line(one.row)}
              </button>
              <span>
                <code dir="auto">{one.text}</code>
                <span class="hint">{language.value === 'en' ? one.reason : text.reason}</span>
              </span>
            </li>
          ))}
        </ul>
      )}
      {!found?.cards.length && !found?.errors.length && <p class="preview-empty">{text.previewEmpty}</p>}
      <ol class="preview-cards">
        {found?.cards.slice(0, shownCards).map((card) => (
          <li key={card.row}>
            <span class="preview-front" dir="auto">
              {card.front}
            </span>
            <span class="preview-back" dir="auto">
              {card.back}
            </span>
            {(card.extra || card.tags.length > 0) && (
              <span class="preview-extra" dir="auto">
                {card.extra} {card.tags.map((tag) => `#${tag}`).join(' ')}
              </span>
            )}
          </li>
        ))}
      </ol>
      {found && found.cards.length > shownCards && <p class="quiet">{text.more(found.cards.length - shownCards)}</p>}
    </section>
  );
}
