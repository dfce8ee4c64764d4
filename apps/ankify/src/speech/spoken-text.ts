/** What is said of one side of a card: its words and pauses, without what is written for the eye only. Pure. */

/**
 * Plain text in which `;` is a pause, and nothing else is a command. Empty: there is nothing to say. Clozes are opened
 * and their hints left out; emphasis, simple HTML tags, formulas and Anki's own commands are not read aloud; `;`, `/`
 * and line breaks become pauses.
 */
export function spokenText(fieldText: string): string {
  const plain = openClozes(fieldText.toWellFormed().normalize('NFC'))
    // Marks of direction and the like go; those that join letters (U+200C, U+200D) belong to the spelling.
    .replace(/[\p{Cc}\p{Cf}]/gu, (char) => (kept.has(char) ? char : char === '\xad' ? '' : ' '))
    .replace(/[^\S\n]+/g, ' ')
    .replace(/\\\(.{0,500}?\\\)|\\\[.{0,500}?\\\]/gs, ' ')
    .replace(/\[(?:sound|anki):[^[\]]{0,500}\]/g, ' ')
    .replace(/<\/?(?:b|i|u|s|em|strong|small|mark|sub|sup|span|font)>/gi, '')
    .replace(/<(?:br|hr|p|div|li) ?\/?>|<\/(?:p|div|li)>/gi, '\n')
    .replace(/(\*\*|__|~~|`)(?=\S)(.{1,500}?)(?<=\S)\1/g, '$2')
    .replace(/\p{Emoji_Presentation}\ufe0f?|\ufe0f/gu, ' ')
    .replace(/[^\S\n]+/g, ' ');
  const spoken = plain
    // 1/2 is a number, and the slashes of an address or a tag separate nothing. \b: a long word is looked at once.
    .replace(/\b\w+:\/\/\S+|(?<![\d:/<]) ?\/ ?(?![\d/])/g, (found) => (found.trim() === '/' ? '; ' : found))
    .replace(/\s*\n\s*/g, (_, at: number, text: string) =>
      /[.!?…:;,。！？、，]/.test(text[at - 1] ?? '') ? ' ' : '; ',
    )
    .replace(/ ?;[\s;]*/g, '; ')
    .replace(/^[;\s]+|[;\s]+$/g, '');
  return /[\p{L}\p{N}]/u.test(spoken) ? spoken : '';
}

const kept = new Set(['\u200c', '\u200d', '\n']);

/** `{{c1::Bern::city}}` is “Bern”. What is not well formed is left as it is: it was refused before it was stored. */
function openClozes(text: string): string {
  const open: Array<{ readonly before: string; readonly marker: string }> = [];
  let said = '';
  let at = 0;
  for (const match of text.matchAll(/\{\{c\d{1,9}::|\}\}/g)) {
    said += text.slice(at, match.index);
    at = match.index + match[0].length;
    if (match[0] !== '}}') {
      open.push({ before: said, marker: match[0] });
      said = '';
      continue;
    }
    const opened = open.pop();
    if (opened) said = opened.before + withoutHint(said);
    else said += match[0];
  }
  said += text.slice(at);
  for (const { before, marker } of open.reverse()) said = before + marker + said;
  return said;
}

function withoutHint(hidden: string): string {
  const hint = hidden.indexOf('::');
  return hint < 0 ? hidden : hidden.slice(0, hint);
}
