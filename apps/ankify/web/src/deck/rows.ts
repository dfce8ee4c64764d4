/** The cards of a deck as somebody edits them: what is not sent yet, and how it meets what others have changed. Pure. */
import type { Card, CardsEdit, CardText, NoteType } from '../api/shapes.ts';

export interface Row {
  /** Of this row on this page, through all saves. */
  readonly key: string;
  /** Undefined: the server does not know it yet. */
  readonly cardId?: string | undefined;
  readonly front: string;
  readonly back: string;
  readonly extra: string;
  /** As typed. */
  readonly tags: string;
  readonly frontLanguage?: string | undefined;
  readonly backLanguage?: string | undefined;
  /** Deleted, and can still be taken back. */
  readonly removed?: boolean;
}

export type RowField = 'front' | 'back' | 'extra' | 'tags';
export const rowFields: readonly RowField[] = ['front', 'back', 'extra', 'tags'];

export interface Conflict {
  readonly key: string;
  /** `gone`: they deleted what was changed here. */
  readonly field: RowField | 'gone';
  readonly mine: string;
  readonly theirs: string;
}

export interface Summary {
  readonly added: number;
  readonly edited: number;
  readonly removed: number;
}

const maxChanges = 300;

export function rowOf(card: Card): Row {
  return {
    key: card.card_id,
    cardId: card.card_id,
    front: card.front,
    back: card.back,
    extra: card.extra ?? '',
    tags: card.tags.join(' '),
    frontLanguage: card.front_language,
    backLanguage: card.back_language,
  };
}

export function emptyRow(): Row {
  return { key: crypto.randomUUID(), front: '', back: '', extra: '', tags: '' };
}

export function isBlank(row: Row): boolean {
  return rowFields.every((field) => row[field].trim() === '');
}

export function isComplete(noteType: NoteType, { front, back }: Row): boolean {
  if (noteType === 'cloze') return /\{\{c\d{1,9}::/.test(front);
  return front.trim() !== '' && back.trim() !== '';
}

/** What the server makes of a field; two that are the same there are the same here. */
function plain(field: RowField, text: string): string {
  if (field !== 'tags') return text.normalize('NFC').trim();
  return [...new Set(tagsOf(text).map((tag) => tag.toLowerCase()))].join(' ');
}

function tagsOf(text: string): readonly string[] {
  return text.normalize('NFC').split(/\s+/u).filter(Boolean);
}

function changedFields(row: Row, card: Card): readonly RowField[] {
  const was = rowOf(card);
  return rowFields.filter((field) => plain(field, row[field]) !== plain(field, was[field]));
}

export interface NextEdit {
  readonly edit: Omit<CardsEdit, 'version'>;
  /** The rows as they are sent, in the order of the cards of the answer. */
  readonly sent: readonly Row[];
  /** The row behind each member of the edit, as a problem points to it: `/add/0`, `/update/3`. */
  readonly rowAt: ReadonlyMap<string, string>;
}

/** What makes `base` into `rows`, as far as they are complete; undefined: nothing. `isSaved`: rows that were taken as they are. */
export function editOf(
  base: readonly Card[],
  rows: readonly Row[],
  noteType: NoteType,
  isSaved: (row: Row) => boolean,
): NextEdit | undefined {
  let room = maxChanges;
  const some = <T>(list: readonly T[]): readonly T[] => {
    const taken = list.slice(0, room);
    room -= taken.length;
    return taken;
  };
  const cards = new Map(base.map((card) => [card.card_id, card]));
  const kept = new Set(rows.map(({ cardId }) => cardId));
  const keyOf = new Map(rows.map(({ cardId, key }) => [cardId, key]));
  const willStay = rows.some((row) => row.cardId !== undefined || (!row.removed && isComplete(noteType, row)));
  // A deck without a card is none: the last one goes when another has come.
  const gone = willStay ? some(base.filter(({ card_id }) => !kept.has(card_id)).map(({ card_id }) => card_id)) : [];
  const update = some(
    rows.flatMap((row) => {
      const card = row.cardId === undefined ? undefined : cards.get(row.cardId);
      if (!card || row.removed || isSaved(row) || !isComplete(noteType, row)) return [];
      const fields = changedFields(row, card);
      if (fields.length === 0) return [];
      const text = textOf(row);
      return [
        {
          card_id: card.card_id,
          ...(fields.includes('front') && { front: text.front }),
          ...(fields.includes('back') && { back: text.back }),
          ...(fields.includes('extra') && { extra: text.extra ?? null }),
          ...(fields.includes('tags') && { tags: text.tags }),
        },
      ];
    }),
  );
  const fresh = rows.filter((row) => row.cardId === undefined && !row.removed && isComplete(noteType, row));
  const added = new Set(some(fresh).map(({ key }) => key));
  const sent = rows.filter((row) => row.cardId !== undefined || added.has(row.key));
  const add = sent.flatMap((row, index) => (row.cardId === undefined ? [{ ...textOf(row), at: index + 1 }] : []));
  const ids = sent.flatMap(({ cardId }) => cardId ?? []);
  const before = base.map(({ card_id }) => card_id).filter((id) => kept.has(id));
  const isOrdered = ids.every((id, index) => id === before[index]);
  if (gone.length + update.length + add.length === 0 && isOrdered) return undefined;
  const edit = {
    ...(add.length > 0 && { add }),
    ...(update.length > 0 && { update }),
    ...(gone.length > 0 && { delete: gone }),
    ...(!isOrdered && { order: ids }),
  };
  const rowAt = new Map([
    ...sent.filter(({ cardId }) => cardId === undefined).map(({ key }, index) => [`/add/${index}`, key] as const),
    ...update.map(({ card_id }, index) => [`/update/${index}`, keyOf.get(card_id) ?? ''] as const),
  ]);
  return { edit, sent, rowAt };
}

function textOf({ front, back, extra, tags }: Row): CardText {
  return { front, back, ...(extra.trim() && { extra }), tags: [...new Set(tagsOf(tags))] };
}

/** The rows with the ids that the server gave to those it did not know. */
export function withIds(rows: readonly Row[], sent: readonly Row[], cards: readonly Card[]): readonly Row[] {
  const known = new Set(sent.flatMap(({ cardId }) => cardId ?? []));
  const fresh = cards.filter(({ card_id }) => !known.has(card_id));
  const unnamed = sent.filter(({ cardId }) => cardId === undefined);
  const byKey = new Map(
    unnamed.flatMap((row, index) => {
      // In the order in which they were sent; where others came between, by what they say.
      const inPlace = fresh.length === unnamed.length ? fresh[index] : undefined;
      const card = inPlace ?? fresh.find((one) => changedFields(row, one).length === 0);
      return card ? [[row.key, card.card_id] as const] : [];
    }),
  );
  return rows.map((row) => {
    const cardId = byKey.get(row.key);
    return cardId === undefined || row.cardId !== undefined ? row : { ...row, cardId };
  });
}

export interface Merged {
  readonly rows: readonly Row[];
  readonly conflicts: readonly Conflict[];
  readonly summary: Summary;
}

/** Three-way: what both have changed is a conflict, and stays as it is here until somebody chooses. */
export function merge(base: readonly Card[], mine: readonly Row[], theirs: readonly Card[]): Merged {
  const was = new Map(base.map((card) => [card.card_id, card]));
  const now = new Map(theirs.map((card) => [card.card_id, card]));
  const conflicts: Conflict[] = [];
  const newToUs = theirs.filter(({ card_id }) => !was.has(card_id));
  const adopted = adopt(mine, newToUs);
  const merged = adopted.flatMap((row): readonly Row[] => {
    if (row.cardId === undefined) return [row];
    const before = was.get(row.cardId);
    const after = now.get(row.cardId);
    if (!before) return [row];
    if (after) return [mergedRow(row, before, after, conflicts)];
    if (changedFields(row, before).length === 0) return [];
    conflicts.push({ key: row.key, field: 'gone', mine: row.front, theirs: '' });
    return [row];
  });
  const here = new Set(merged.map(({ cardId }) => cardId));
  const coming = theirs.filter(({ card_id }) => {
    if (here.has(card_id)) return false;
    const before = was.get(card_id);
    const after = now.get(card_id);
    // Deleted here, unless they have written something new into it.
    return !before || !after || changedFields(rowOf(after), before).length > 0;
  });
  const edited = theirs.filter((card) => {
    const before = was.get(card.card_id);
    return before && changedFields(rowOf(card), before).length > 0;
  });
  const summary = {
    added: newToUs.length - adopted.filter((row, index) => row !== mine[index]).length,
    edited: edited.length,
    removed: base.filter(({ card_id }) => !now.has(card_id)).length,
  };
  return { rows: ordered(base, merged, theirs, coming), conflicts, summary };
}

/** A new card that says what a new row says is that row, saved by an answer that was lost. */
function adopt(mine: readonly Row[], newToUs: readonly Card[]): readonly Row[] {
  const free = new Set(newToUs);
  return mine.map((row) => {
    if (row.cardId !== undefined || isBlank(row)) return row;
    const twin = [...free].find((card) => changedFields(row, card).length === 0);
    if (!twin) return row;
    free.delete(twin);
    return { ...row, cardId: twin.card_id };
  });
}

function mergedRow(row: Row, before: Card, after: Card, conflicts: Conflict[]): Row {
  const [old, other] = [rowOf(before), rowOf(after)];
  const result: { -readonly [K in keyof Row]: Row[K] } = {
    ...row,
    frontLanguage: other.frontLanguage,
    backLanguage: other.backLanguage,
  };
  const same = (field: RowField, a: Row, b: Row) => plain(field, a[field]) === plain(field, b[field]);
  for (const field of rowFields) {
    if (same(field, old, other)) continue;
    if (same(field, row, old)) result[field] = other[field];
    else if (!same(field, row, other)) {
      conflicts.push({ key: row.key, field, mine: row[field], theirs: other[field] });
    }
  }
  return result;
}

/** Their order where none was made here, else ours; what is new stands behind what it stood behind. */
function ordered(
  base: readonly Card[],
  rows: readonly Row[],
  theirs: readonly Card[],
  coming: readonly Card[],
): readonly Row[] {
  const place = new Map(base.map(({ card_id }, index) => [card_id, index]));
  const known = rows.flatMap(({ cardId }) => (cardId === undefined ? [] : (place.get(cardId) ?? [])));
  const isOurs = known.some((at, index) => index > 0 && at < (known[index - 1] ?? 0));
  const all = new Map(rows.flatMap((row) => (row.cardId === undefined ? [] : [[row.cardId, row] as const])));
  const arriving = new Set(coming.map(({ card_id }) => card_id));
  if (!isOurs) {
    const result = theirs.flatMap((card) => all.get(card.card_id) ?? (arriving.has(card.card_id) ? [rowOf(card)] : []));
    const placed = new Set(result);
    for (const [index, row] of rows.entries()) {
      if (!placed.has(row)) insertBehind(result, rows[index - 1], row);
    }
    return result;
  }
  const result = [...rows];
  for (const [index, card] of theirs.entries()) {
    if (!arriving.has(card.card_id)) continue;
    const before = theirs[index - 1]?.card_id;
    insertBehind(
      result,
      result.find(({ cardId }) => cardId === before),
      rowOf(card),
    );
  }
  return result;
}

function insertBehind(rows: Row[], before: Row | undefined, row: Row): void {
  rows.splice(before ? rows.indexOf(before) + 1 : 0, 0, row);
}
