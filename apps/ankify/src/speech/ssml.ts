/** A text as SSML for Amazon Polly, in pieces that one request may carry. Pure. */

/** Of one request: 3,000 characters that are billed, 6,000 with the tags (Polly's Developer Guide, “Quotas”). */
const maxBilled = 3000;
const maxTotal = 6000;

/** Long enough to be heard between two forms of a word, short enough for a list of five. */
const pause = '<break time="400ms"/>';

/** In the text's order. `;` is a pause; everything else is text, whatever it looks like. */
export function ssmlPieces(text: string): string[] {
  const clean = text.toWellFormed().replace(/[\p{Cc}\ufffe\uffff]/gu, ' ');
  const pieces: string[] = [];
  let rest = Array.from(clean);
  while (rest.length > 0) {
    let piece = rest.slice(0, maxBilled);
    // Each round leaves at most half of it, and one character is never too long.
    while (ssml(piece).length > maxTotal) piece = piece.slice(0, Math.ceil(piece.length / 2));
    const length = piece.length < rest.length ? cutAt(piece) : piece.length;
    const said = rest.slice(0, length);
    if (said.some((char) => char.trim() !== '')) pieces.push(ssml(said));
    rest = rest.slice(length);
  }
  return pieces;
}

function ssml(characters: readonly string[]): string {
  const text = characters.join('').replace(/[&<>"']/g, (char) => entities[char] ?? char);
  return `<speak>${text.replace(/(?<!&[a-z]+);/g, pause)}</speak>`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** After the last sentence, else the last pause, else the last word of it, where that is not too far back. */
function cutAt(piece: readonly string[]): number {
  const earliest = piece.length / 2;
  for (const ends of [/[.!?…。！？]/, /[;,:、，；：]/, /\s/]) {
    const last = piece.findLastIndex((char) => ends.test(char));
    if (last + 1 > earliest) return last + 1;
  }
  return piece.length;
}
