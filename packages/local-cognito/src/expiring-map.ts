/** A bounded map whose entries expire: codes, sessions and failed attempts live here, so that a flood cannot grow it. */

export class ExpiringMap<V> {
  readonly #entries = new Map<string, { value: V; expiresAt: number }>();
  readonly #capacity: number;
  readonly #now: () => number;

  /** @param now seconds @param capacity entries; the oldest make room for the newest */
  constructor(now: () => number, capacity = 10_000) {
    this.#now = now;
    this.#capacity = capacity;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (entry.expiresAt > this.#now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: V, lifetimeSeconds: number): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.#capacity) this.#makeRoom();
    this.#entries.set(key, { value, expiresAt: this.#now() + lifetimeSeconds });
  }

  /** Reads and removes; of any number of callers at most one receives the value. */
  take(key: string): V | undefined {
    const value = this.get(key);
    this.#entries.delete(key);
    return value;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  deleteWhere(matches: (value: V) => boolean): void {
    for (const [key, entry] of this.#entries) if (matches(entry.value)) this.#entries.delete(key);
  }

  #makeRoom(): void {
    const now = this.#now();
    for (const [key, entry] of this.#entries) if (entry.expiresAt <= now) this.#entries.delete(key);
    for (const key of this.#entries.keys()) {
      if (this.#entries.size < this.#capacity) break;
      this.#entries.delete(key); // a Map iterates in insertion order: oldest first
    }
  }
}
