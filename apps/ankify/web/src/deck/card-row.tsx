/** One card: edited in place, by keyboard alone if one likes, heard, moved, deleted and taken back. */
import { useSignal } from '@preact/signals';
import type { Deck } from '../api/shapes.ts';
import { Icon } from '../look/icons.tsx';
import { tell } from '../look/news.tsx';
import { words } from '../words/language.ts';
import type { DeckEditor } from './deck-state.ts';
import { Hear } from './hear.tsx';
import { isBlank, isComplete, type Row, type RowField } from './rows.ts';

interface CardRowProps {
  readonly editor: DeckEditor;
  readonly deck: Deck;
  readonly row: Row;
  /** From 1. */
  readonly position: number;
}

export function CardRow({ editor, deck, row, position }: CardRowProps) {
  const { deck: text } = words.value;
  const isOpen = useSignal(false);
  if (row.removed) {
    return (
      <li class="card is-removed" data-key={row.key}>
        <span>{text.removed}</span>
        <button type="button" class="button" data-part="undo" onClick={() => takeBack(editor, row.key)}>
          {text.undo}
        </button>
      </li>
    );
  }
  const isCloze = deck.note_type === 'cloze';
  const isLacking = !isBlank(row) && !isComplete(deck.note_type, row);
  const fault = editor.faults.value.get(row.key);
  const asMore = row.extra.trim() !== '' || row.tags.trim() !== '';
  return (
    <li
      class={isLacking ? 'card is-lacking' : 'card'}
      data-key={row.key}
      onKeyDown={(event) => steer(event, editor, row)}
      aria-label={text.card(position)}
    >
      <span class="card-number tabular" aria-hidden="true">
        {position}
      </span>
      <div class="card-sides">
        <CardField {...{ editor, deck, row, position }} field="front" label={isCloze ? text.sentence : text.front} />
        <CardField {...{ editor, deck, row, position }} field="back" label={isCloze ? text.note : text.backSide} />
        {isOpen.value && (
          <>
            <CardField {...{ editor, deck, row, position }} field="extra" label={text.extra} />
            <CardField {...{ editor, deck, row, position }} field="tags" label={text.tags} />
          </>
        )}
        {!isOpen.value && asMore && (
          <p class="card-more" dir="auto">
            {row.extra}
            {row.tags.split(/\s+/).map((tag) => tag && <span class="tag">{tag}</span>)}
          </p>
        )}
        {fault && (
          <p class="card-lack" lang="en" role="alert">
            {fault}
          </p>
        )}
        {isLacking && <p class="card-lack">{isCloze ? text.incompleteCloze : text.incomplete}</p>}
      </div>
      <div class="card-tools">
        {isCloze && <Tool name="gap" label={text.gap} onClick={() => makeGap(editor, row)} keepFocus />}
        <button
          type="button"
          class="button is-icon"
          aria-label={`${text.more}, ${text.card(position)}`}
          title={text.more}
          aria-expanded={isOpen.value}
          onClick={() => {
            isOpen.value = !isOpen.value;
            if (isOpen.value) editor.focusOn(row.key, 'extra');
          }}
        >
          <Icon name="more" />
        </button>
        <Tool name="up" label={text.up} card={text.card(position)} onClick={() => shift(editor, row.key, -1, 'up')} />
        <Tool
          name="down"
          label={text.down}
          card={text.card(position)}
          onClick={() => shift(editor, row.key, 1, 'down')}
        />
        <Tool name="trash" label={text.remove} card={text.card(position)} onClick={() => drop(editor, row.key)} />
      </div>
    </li>
  );
}

interface ToolProps {
  readonly name: 'gap' | 'up' | 'down' | 'trash';
  readonly label: string;
  readonly card?: string;
  readonly keepFocus?: boolean;
  readonly onClick: () => void;
}

function Tool({ name, label, card, keepFocus, onClick }: ToolProps) {
  return (
    <button
      type="button"
      class="button is-icon"
      data-part={name}
      aria-label={card ? `${label}, ${card}` : label}
      title={label}
      // A press must not take the selection away from the field.
      onPointerDown={(event) => keepFocus && event.preventDefault()}
      onClick={onClick}
    >
      <Icon name={name} />
    </button>
  );
}

interface CardFieldProps extends CardRowProps {
  readonly field: RowField;
  readonly label: string;
}

function CardField({ editor, deck, row, position, field, label }: CardFieldProps) {
  const language =
    field === 'front'
      ? (row.frontLanguage ?? deck.front_language)
      : field === 'back'
        ? (row.backLanguage ?? deck.back_language)
        : undefined;
  return (
    <div class={`card-field is-${field}`}>
      <textarea
        rows={1}
        data-part={field}
        dir="auto"
        lang={language}
        aria-label={words.value.deck.field(label, position)}
        placeholder={label}
        value={row[field]}
        maxLength={field === 'tags' ? 2000 : 16_384}
        spellcheck={field !== 'tags'}
        onInput={(event) => editor.edit(row.key, field, event.currentTarget.value)}
      />
      {(field === 'front' || field === 'back') && <Hear editor={editor} deck={deck} row={row} side={field} />}
    </div>
  );
}

function takeBack(editor: DeckEditor, key: string): void {
  editor.undo(key);
  tell(words.value.deck.undone, true);
}

function drop(editor: DeckEditor, key: string): void {
  if (editor.remove(key)) tell(words.value.deck.removed, true);
  else tell(words.value.deck.lastCard);
}

function shift(editor: DeckEditor, key: string, by: 1 | -1, part: string): void {
  const place = editor.move(key, by);
  if (place !== undefined) tell(words.value.deck.moved(place), true);
  editor.focusOn(key, part);
}

function steer(event: KeyboardEvent, editor: DeckEditor, row: Row): void {
  const target = event.target as HTMLElement;
  const part = target.dataset.part ?? '';
  const isField = target instanceof HTMLTextAreaElement;
  // Enter also ends what an input method composes (Japanese, Chinese).
  if (event.isComposing) return;
  const isPlain = !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    editor.add(row.key);
    tell(words.value.deck.added, true);
  } else if (event.key === 'Enter' && isPlain && isField) nextField(target, editor);
  else if (event.altKey && event.key === 'ArrowUp') shift(editor, row.key, -1, part);
  else if (event.altKey && event.key === 'ArrowDown') shift(editor, row.key, 1, part);
  else if (event.key === 'Delete' && (event.altKey || (isPlain && !isField))) drop(editor, row.key);
  else return;
  event.preventDefault();
}

/** Behind the last field of the last card stands a new card. */
function nextField(from: HTMLElement, editor: DeckEditor): void {
  const fields = [...(from.closest('ol')?.querySelectorAll<HTMLElement>('textarea[data-part]') ?? [])];
  const next = fields[fields.indexOf(from) + 1];
  if (next) next.focus();
  else editor.add();
}

/** The selected words, or the word at the caret, with the next number that is free. */
function makeGap(editor: DeckEditor, row: Row): void {
  const area = document.querySelector<HTMLTextAreaElement>(`[data-key="${CSS.escape(row.key)}"] [data-part=front]`);
  if (!area) return;
  let { selectionStart: start, selectionEnd: end } = area;
  if (start === end) {
    while (start > 0 && /[\p{L}\p{N}'’-]/u.test(row.front[start - 1] ?? '')) start -= 1;
    while (end < row.front.length && /[\p{L}\p{N}'’-]/u.test(row.front[end] ?? '')) end += 1;
  }
  const numbers = [...row.front.matchAll(/\{\{c(\d{1,9})::/g)].map(([, digits]) => Number(digits));
  const next = Math.max(0, ...numbers) + 1;
  const gap = `{{c${next}::${row.front.slice(start, end)}}}`;
  editor.edit(row.key, 'front', row.front.slice(0, start) + gap + row.front.slice(end));
  editor.focusOn(row.key, 'front');
}
