/** All decks of the person: found, sorted, opened; and how to begin where there are none. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { allDecks } from '../api/decks.ts';
import type { Deck } from '../api/shapes.ts';
import { Icon } from '../look/icons.tsx';
import { kept } from '../look/kept.ts';
import { ProblemNote } from '../look/parts.tsx';
import { go, Link } from '../look/router.tsx';
import { startText } from '../new-deck/plan.ts';
import { ago, language, languageName, words } from '../words/language.ts';

type Sort = 'changed' | 'name' | 'cards';
const sortKey = 'ankify-sort';
/** So many are seen at a glance. */
const fewDecks = 3;
const sorts: readonly Sort[] = ['changed', 'name', 'cards'];

export function DecksPage() {
  const { decks: text } = words.value;
  const decks = useSignal<readonly Deck[] | undefined>(undefined);
  const error = useSignal<unknown>(undefined);
  const attempt = useSignal(0);
  const search = useSignal('');
  const sort = useSignal<Sort>(sorts.find((one) => one === kept.read(sortKey)) ?? 'changed');

  useEffect(() => {
    const abort = new AbortController();
    const load = async () => {
      try {
        decks.value = await allDecks(abort.signal);
        error.value = undefined;
      } catch (cause) {
        if (!abort.signal.aborted) error.value = cause;
      }
    };
    void load();
    // An assistant may have made one meanwhile.
    const again = () => {
      if (document.visibilityState === 'visible') void load();
    };
    document.addEventListener('visibilitychange', again);
    return () => {
      document.removeEventListener('visibilitychange', again);
      abort.abort();
    };
  }, [attempt.value]);

  if (decks.value?.length === 0) return <NoDecks />;
  const shown = decks.value && inOrder(found(decks.value, search.value), sort.value);
  return (
    <>
      <div class="head">
        <h1>{text.title}</h1>
        <Link to="/new" class="button is-main">
          <Icon name="plus" />
          {text.create}
        </Link>
      </div>
      {error.value !== undefined && <ProblemNote error={error.value} retry={() => attempt.value++} />}
      {!decks.value && error.value === undefined && <p class="quiet">{words.value.loading}</p>}
      {decks.value && decks.value.length > fewDecks && (
        <search class="find">
          <label class="find-text">
            <span class="only-heard">{text.search}</span>
            <Icon name="search" />
            <input
              type="search"
              value={search.value}
              placeholder={text.search}
              autocomplete="off"
              onInput={(event) => {
                search.value = event.currentTarget.value;
              }}
            />
          </label>
          <label class="find-sort">
            <span>{text.sort}</span>
            <select
              value={sort.value}
              onChange={(event) => {
                sort.value = event.currentTarget.value as Sort;
                kept.write(sortKey, sort.value);
              }}
            >
              {sorts.map((one) => (
                <option key={one} value={one}>
                  {text.sorts[one]}
                </option>
              ))}
            </select>
          </label>
          <p class="only-heard" role="status">
            {search.value && shown ? text.found(shown.length) : ''}
          </p>
        </search>
      )}
      {shown?.length === 0 && (
        <div class="nothing">
          <p>{text.none(search.value)}</p>
          <button
            type="button"
            class="button"
            onClick={() => {
              search.value = '';
            }}
          >
            {text.clear}
          </button>
        </div>
      )}
      <ul class="decks">
        {shown?.map((deck) => (
          <li key={deck.deck_id}>
            <DeckTile deck={deck} />
          </li>
        ))}
      </ul>
    </>
  );
}

function DeckTile({ deck }: { readonly deck: Deck }) {
  const { decks, cards, speech } = words.value;
  const parts = deck.name.split('::');
  const tongues = [deck.front_language, deck.back_language].filter((tag) => tag !== undefined);
  return (
    <Link to={`/decks/${deck.deck_id}`} class="deck-tile">
      {parts.length > 1 && <span class="deck-path">{parts.slice(0, -1).join(' › ')}</span>}
      <span class="deck-name" dir="auto">
        {parts.at(-1)}
      </span>
      <span class="deck-facts">
        <span class="tabular">{cards(deck.card_count)}</span>
        {tongues.length > 0 && <span>{[...new Set(tongues.map(languageName))].join(' · ')}</span>}
        {deck.audio !== 'off' && (
          <span class="tag">
            <Icon name="speaker" />
            {speech[deck.audio].name}
          </span>
        )}
      </span>
      <span class="deck-time">{decks.edited(ago(deck.updated_at))}</span>
    </Link>
  );
}

function NoDecks() {
  const { empty } = words.value.decks;
  return (
    <div class="begin">
      <h1>{empty.title}</h1>
      <ol class="steps">
        {empty.steps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
      <p class="lead">{empty.text}</p>
      <pre class="sample">{empty.sample}</pre>
      <div class="row">
        <button
          type="button"
          class="button is-main is-large"
          onClick={() => {
            startText.value = empty.sample;
            go('/new');
          }}
        >
          {empty.button}
        </button>
        <Link to="/new" class="button is-large">
          {empty.other}
        </Link>
      </div>
    </div>
  );
}

function found(decks: readonly Deck[], text: string): readonly Deck[] {
  const wanted = plain(text);
  return wanted === '' ? decks : decks.filter(({ name }) => plain(name).includes(wanted));
}

/** `café` is found by `cafe`. */
function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().trim();
}

function inOrder(decks: readonly Deck[], sort: Sort): readonly Deck[] {
  const byName = new Intl.Collator(language.value, { numeric: true });
  return decks.toSorted((a, b) => {
    if (sort === 'name') return byName.compare(a.name, b.name);
    if (sort === 'cards') return b.card_count - a.card_count || byName.compare(a.name, b.name);
    return b.updated_at.localeCompare(a.updated_at) || byName.compare(a.name, b.name);
  });
}
