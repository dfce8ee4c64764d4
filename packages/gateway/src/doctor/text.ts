/** What a server said, made fit for a terminal: hostile bytes are shown, never acted on. */

/** Control characters, escapes, and what turns the direction of a line around or takes no room in it. */
const unprintable = /[^\x20-\x7e\p{L}\p{M}\p{N}\p{P}\p{S}]/gu;

/** One line of at most so many characters; what a terminal would act on is written as `\u{1b}`. */
export function shown(text: string, most = 300): string {
  const line = text.replace(/\s+/g, ' ').replace(unprintable, (character) => escaped(character));
  return line.length <= most ? line : `${line.slice(0, most)}…`;
}

/** The same in quotation marks. */
export function quoted(text: string, most?: number): string {
  return `“${shown(text, most)}”`;
}

/** JSON that is safe on a terminal: `JSON.stringify` leaves C1 controls and bidirectional marks as they are. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/[^\n\x20-\x7e\p{L}\p{M}\p{N}\p{P}\p{S}]/gu, (character) =>
    // Two halves above the plane: JSON knows no other way to write one.
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
