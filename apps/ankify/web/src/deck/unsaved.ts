/** Work that has not reached the server, kept in this browser until it has: a reload or a lost connection loses nothing. */
import type { Card, DeckPatch } from '../api/shapes.ts';
import { kept } from '../look/kept.ts';
import type { Row } from './rows.ts';

export interface Unsaved {
  readonly version: number;
  readonly base: readonly Card[];
  readonly rows: readonly Row[];
  readonly patch?: Omit<DeckPatch, 'version'> | undefined;
}

const prefix = 'ankify-unsaved-';
/** Of this tab, where the browser keeps nothing. */
const inMemory = new Set<string>();

export function readUnsaved(deckId: string): Unsaved | undefined {
  try {
    const value = JSON.parse(kept.read(prefix + deckId) ?? 'null') as Unsaved | null;
    return value && Array.isArray(value.base) && Array.isArray(value.rows) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** False: this browser keeps nothing. */
export function keepUnsaved(deckId: string, unsaved: Unsaved): boolean {
  inMemory.add(deckId);
  return kept.write(prefix + deckId, JSON.stringify(unsaved));
}

export function dropUnsaved(deckId: string): void {
  inMemory.delete(deckId);
  kept.remove(prefix + deckId);
}

export function hasUnsaved(): boolean {
  return inMemory.size > 0 || kept.keys(prefix).length > 0;
}

/** All of it, when somebody signs out. */
export function forgetUnsaved(): void {
  inMemory.clear();
  for (const key of kept.keys(prefix)) kept.remove(key);
  sessionStorage.clear();
}
