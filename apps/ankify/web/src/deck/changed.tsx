/** What others have changed while this deck was open, and the choice wherever both changed the same. */
import { words } from '../words/language.ts';
import type { DeckEditor } from './deck-state.ts';
import type { Conflict } from './rows.ts';

export function Changed({ editor }: { readonly editor: DeckEditor }) {
  const { changed: text } = words.value.deck;
  const summary = editor.changed.value;
  const conflicts = editor.conflicts.value;
  if (!summary && conflicts.length === 0) return null;
  const told = summary ? text.summary(summary.added, summary.edited, summary.removed) : '';
  if (told === '' && conflicts.length === 0) return null;
  return (
    <section class="note changed" role="status">
      <div class="changed-head">
        <h2>{text.title}</h2>
        {conflicts.length === 0 && (
          <button
            type="button"
            class="button is-quiet"
            onClick={() => {
              editor.changed.value = undefined;
            }}
          >
            {words.value.close}
          </button>
        )}
      </div>
      <p>
        {told !== '' && `${told}. `}
        {conflicts.length === 0 ? text.merged : text.choose}
      </p>
      {conflicts.length > 0 && (
        <ul>
          {conflicts.map((conflict) => (
            <li key={`${conflict.key} ${conflict.field}`}>
              <Choose editor={editor} conflict={conflict} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Choose({ editor, conflict }: { readonly editor: DeckEditor; readonly conflict: Conflict }) {
  const { deck: text } = words.value;
  const { changed } = text;
  const names = { front: text.front, back: text.backSide, extra: text.extra, tags: text.tags, gone: text.front };
  const position = editor.rows.value.findIndex(({ key }) => key === conflict.key) + 1;
  return (
    <div class="choose">
      <p class="label">{text.field(names[conflict.field], position)}</p>
      <dl>
        <div>
          <dt>{changed.mine}</dt>
          <dd dir="auto">{conflict.mine}</dd>
        </div>
        <div>
          <dt>{changed.theirs}</dt>
          <dd dir="auto">{conflict.field === 'gone' ? changed.gone : conflict.theirs}</dd>
        </div>
      </dl>
      <div class="row">
        <button type="button" class="button is-main" onClick={() => editor.choose(conflict, 'mine')}>
          {changed.keepMine}
        </button>
        <button type="button" class="button" onClick={() => editor.choose(conflict, 'theirs')}>
          {changed.takeTheirs}
        </button>
      </div>
    </div>
  );
}
