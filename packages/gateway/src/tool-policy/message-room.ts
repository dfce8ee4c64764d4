/** How much of the messages that are read whole may stand in memory at once, of one person and of all (SEC-10). */

export interface MessageRoomOptions {
  /** Bytes of everybody together. */
  readonly total: number;
  /** Bytes of one person, so that nobody takes the room of the others. */
  readonly perPerson: number;
}

export interface MessageRoom {
  /** False: there is no room for that many more bytes, and nothing was taken. */
  take(person: string, bytes: number): boolean;
  give(person: string, bytes: number): void;
}

export function messageRoom({ total, perPerson }: MessageRoomOptions): MessageRoom {
  const held = new Map<string, number>();
  let all = 0;
  return {
    take(person, bytes) {
      const own = (held.get(person) ?? 0) + bytes;
      if (own > perPerson || all + bytes > total) return false;
      held.set(person, own);
      all += bytes;
      return true;
    },
    give(person, bytes) {
      const own = (held.get(person) ?? 0) - bytes;
      if (own > 0) held.set(person, own);
      else held.delete(person);
      all -= bytes;
    },
  };
}
