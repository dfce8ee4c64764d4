/** A deck: its cards to be edited and heard, its state of saving, and its way into Anki. */
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { loadAbout } from '../api/decks.ts';
import { ApiProblem } from '../api/problem.ts';
import type { Deck } from '../api/shapes.ts';
import { CardRow } from '../deck/card-row.tsx';
import { Changed } from '../deck/changed.tsx';
import { type DeckEditor, openDeck } from '../deck/deck-state.ts';
import { DownloadButton, DownloadNews, useDownload } from '../deck/download.tsx';
import { Settings } from '../deck/settings.tsx';
import { silence } from '../deck/sound.ts';
import { Icon } from '../look/icons.tsx';
import { tell } from '../look/news.tsx';
import { ProblemNote } from '../look/parts.tsx';
import { Link } from '../look/router.tsx';
import { words } from '../words/language.ts';
import { MissingPage } from './missing.tsx';

export function DeckPage({ id }: { readonly id: string }) {
  const editor = useMemo(() => openDeck(id), [id]);
  useEffect(() => {
    void editor.load().then(() => {
      if (editor.restored.value) tell(words.value.deck.restored);
    });
    // Without it the page offers no recording, and works.
    loadAbout().catch(() => undefined);
    return () => {
      silence();
      editor.close();
    };
  }, [editor]);
  const deck = editor.deck.value;
  const failed = editor.failed.value;
  if (failed instanceof ApiProblem && failed.status === 404) return <MissingPage />;
  if (!deck) {
    return failed === undefined ? (
      <p class="quiet">{words.value.loading}</p>
    ) : (
      <ProblemNote error={failed} retry={() => void editor.load()} />
    );
  }
  return <Open editor={editor} deck={deck} />;
}

function Open({ editor, deck }: { readonly editor: DeckEditor; readonly deck: Deck }) {
  const { deck: text, cards } = words.value;
  const download = useDownload(editor);
  return (
    <div class="deck">
      <Link to="/" class="back-link">
        <Icon name="back" />
        {text.back}
      </Link>
      <div class="head">
        <h1 class="only-heard">{deck.name}</h1>
        <DeckName editor={editor} deck={deck} />
        <DownloadButton state={download} />
      </div>
      <p class="deck-line">
        <span class="tabular">{cards(deck.card_count)}</span>
        <SaveStatus editor={editor} />
      </p>
      <DownloadNews state={download} editor={editor} />
      <Changed editor={editor} />
      {editor.refused.value !== undefined && (
        <ProblemNote error={editor.refused.value} retry={() => void editor.flush()} />
      )}
      <Cards editor={editor} deck={deck} />
      <div class="row below-cards">
        <button type="button" class="button" onClick={() => editor.add()}>
          <Icon name="plus" />
          {text.add}
        </button>
      </div>
      <div class="deck-foot">
        <Settings editor={editor} deck={deck} />
        <Keys />
      </div>
    </div>
  );
}

/** Saved when it is left or with Enter; Escape takes it back. A name has one line, and may be longer than the screen. */
function DeckName({ editor, deck }: { readonly editor: DeckEditor; readonly deck: Deck }) {
  const typed = useSignal<string | undefined>(undefined);
  const name = typed.value ?? editor.patch.value?.name ?? deck.name;
  const save = () => {
    const wanted = typed.value?.trim();
    typed.value = undefined;
    if (wanted && wanted !== deck.name) editor.change({ name: wanted });
  };
  return (
    <textarea
      class="deck-title"
      rows={1}
      dir="auto"
      maxLength={200}
      aria-label={words.value.deck.name}
      value={name}
      onInput={(event) => {
        typed.value = event.currentTarget.value.replace(/[\r\n]+/g, ' ');
      }}
      onBlur={save}
      onKeyDown={(event) => {
        if (event.key === 'Enter' && !event.isComposing) {
          event.preventDefault();
          event.currentTarget.blur();
        }
        if (event.key === 'Escape') typed.value = undefined;
      }}
    />
  );
}

function SaveStatus({ editor }: { readonly editor: DeckEditor }) {
  const status = editor.status.value;
  const isBad = !['saved', 'saving', 'unsaved'].includes(status);
  return (
    <span class={isBad ? 'status is-bad' : 'status'} data-status={status} role="status">
      {words.value.deck.status[status]}
    </span>
  );
}

function Cards({ editor, deck }: { readonly editor: DeckEditor; readonly deck: Deck }) {
  const list = useRef<HTMLOListElement>(null);
  const wanted = editor.focus.value;
  useLayoutEffect(() => {
    if (!wanted) return;
    const card = list.current?.querySelector(`[data-key="${CSS.escape(wanted.key)}"]`);
    card?.querySelector<HTMLElement>(`[data-part="${wanted.part}"]`)?.focus();
  }, [wanted]);
  return (
    <ol class="cards" ref={list} aria-label={words.value.deck.cards}>
      {editor.rows.value.map((row, index) => (
        <CardRow key={row.key} editor={editor} deck={deck} row={row} position={index + 1} />
      ))}
    </ol>
  );
}

function Keys() {
  const { keys } = words.value.deck;
  return (
    <details class="settings">
      <summary>{keys.title}</summary>
      <dl class="keys">
        {keys.rows.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
