/** The tools that make a deck: `create_deck` from cards, `convert_TSV_to_Anki_deck` from a table. */
import { type CallToolResult, type McpServer, requireScopes, type ServerContext } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import { DeckRefusal, limits, type Speech } from '../decks/deck.ts';
import {
  checkCard,
  checkLanguage,
  checkName,
  checkSpeech,
  type Draft,
  type DraftCard,
  listed,
} from '../decks/draft.ts';
import { type MalformedRow, readTable } from '../decks/table.ts';
import { deckAnswer, deckAnswerOutput, refuseUnrecordable } from './deck-answer.ts';
import { answer, audioSchema, noteTypeSchema, scopes, type ToolContext } from './tool-context.ts';

const repeatNote = 'The same call repeated within 10 minutes returns the deck made the first time.';

const fieldInput = z
  .string()
  .max(limits.fieldLength, `it is too long: at most ${limits.fieldLength} characters fit one side of a card`);

const tagsInput = z
  .array(z.string().max(limits.tagLength, `a tag has at most ${limits.tagLength} characters`))
  .max(limits.tagsPerCard, `at most ${limits.tagsPerCard} tags fit a card`);

export const cardInput = {
  front: fieldInput.describe('Plain text (not HTML or Markdown). For cloze: the text with {{c1::hidden::hint}}.'),
  back: fieldInput.optional().describe('Plain text. May be left out for cloze only.'),
  extra: fieldInput.optional().describe('Shown small below the answer: an example, a note.'),
  tags: tagsInput.optional().describe('Anki tags; spaces become underscores.'),
};

const createInput = z.object({
  name: z
    .string()
    .max(limits.nameLength, `the name is too long: at most ${limits.nameLength} characters`)
    .describe('The name of the deck in Anki. Parent::Child makes a sub-deck.'),
  note_type: noteTypeSchema.describe(
    'basic: asks the front. reversed: asks the front, and on a second card the back. ' +
      'cloze: asks for what {{c1::…}} hides in the front, one card for each number.',
  ),
  front_language: z.string().max(40).optional().describe('Language of the fronts, such as "de" or "pt-BR".'),
  back_language: z.string().max(40).optional().describe('Language of the backs.'),
  audio: audioSchema
    .optional()
    .describe(
      'device: Anki reads the cards aloud with the voices of the device. recorded: the file holds recorded speech, ' +
        'which takes a while for a long deck. Both need a language. Default: device if a language is given, else off.',
    ),
  cards: z
    .array(z.object(cardInput))
    .min(1, 'give at least one card')
    .max(
      limits.cardsPerDeck,
      `at most ${limits.cardsPerDeck} cards a call; send the rest as another deck of the same name, Anki joins them`,
    )
    .describe('In the order in which they shall be learned.'),
});

const createOutput = z.object(deckAnswerOutput);

const convertInput = z.object({
  tsv_vocabulary: z
    .string()
    .max(limits.deckBytes, `the table is too long: at most ${limits.deckBytes} characters; split it`)
    .describe(
      'One card a line, columns separated by a tab: front, back, front language, back language (both languages may be ' +
        'left out; a fifth column holds tags; with three columns the third holds tags). Cells may be quoted as ' +
        'spreadsheets do. A first line of column names (front, back, extra, tags, front_language, back_language) ' +
        'allows another order.',
    ),
  note_type: z
    .enum(['forward_and_backward', 'forward_only'])
    .describe('forward_and_backward: two cards a line, one for each direction. forward_only: one card a line.'),
  deck_name: z.string().max(limits.nameLength).default('Ankify').describe('The name of the deck in Anki.'),
});

const convertOutput = createOutput.extend({
  malformed_rows: z
    .array(
      z.object({
        row: z.int().describe('Number of the row in the table, from 1.'),
        reason: z.string(),
        text: z.string().describe('The row, cut to 200 characters.'),
      }),
    )
    .describe('Rows that are not in the deck. Correct them and send only them, with the same deck_name.'),
});

const annotations = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false };

export function registerCreateDeck(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'create_deck',
    {
      title: 'Create an Anki deck',
      description:
        `Makes an Anki deck of 1 to ${limits.cardsPerDeck} cards that you write, keeps it for the user and returns a ` +
        'link to its .apkg file. Write the cards yourself: one fact a card, plain text, short answers. ' +
        `Give the languages of both sides to have Anki read them aloud. ${repeatNote}`,
      inputSchema: createInput,
      outputSchema: createOutput,
      annotations,
      scopeChallenge: requireScopes(scopes.write),
    },
    (input, call) => answer(context, 'create_deck', async () => stored(context, call, draftOf(context, input))),
  );
}

export function registerConvertTable(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'convert_TSV_to_Anki_deck',
    {
      title: 'Convert a TSV table to an Anki deck',
      description:
        'Makes an Anki deck from a vocabulary table in TSV, keeps it for the user and returns a link to its .apkg ' +
        'file. Rows that cannot become a card are returned by number in malformed_rows; the others are in the deck. ' +
        `Where languages are given, Anki reads the text aloud. ${repeatNote}`,
      inputSchema: convertInput,
      outputSchema: convertOutput,
      annotations,
      scopeChallenge: requireScopes(scopes.write),
    },
    (input, call) =>
      answer(context, 'convert_TSV_to_Anki_deck', async () => {
        const noteType = input.note_type === 'forward_only' ? 'basic' : 'reversed';
        const name = checkName(input.deck_name);
        const { cards, malformed } = readTable(input.tsv_vocabulary, noteType);
        if (cards.length === 0) throw new DeckRefusal(noCards(malformed));
        if (cards.length > limits.cardsPerDeck) {
          throw new DeckRefusal(
            `The table has ${cards.length} cards; at most ${limits.cardsPerDeck} fit one call. Send it in parts with ` +
              'the same deck_name: Anki joins them to one deck.',
          );
        }
        const speaks = cards.some((card) => card.frontLanguage || card.backLanguage);
        return stored(
          context,
          call,
          { name, noteType, speech: speaks ? 'device' : 'off', ...sharedLanguages(cards) },
          malformed,
        );
      }),
  );
}

function draftOf(context: ToolContext, input: z.infer<typeof createInput>): Draft {
  const frontLanguage = checkLanguage('front_language', input.front_language);
  const backLanguage = checkLanguage('back_language', input.back_language);
  const languages = { ...(frontLanguage && { frontLanguage }), ...(backLanguage && { backLanguage }) };
  const speech: Speech = input.audio ?? (frontLanguage || backLanguage ? 'device' : 'off');
  checkSpeech({ speech, ...languages }, []);
  refuseUnrecordable(context, speech);
  const problems: string[] = [];
  const cards = input.cards.flatMap((text, index) => {
    const card = checkCard(input.note_type, text);
    if (typeof card !== 'string') return [card];
    problems.push(`card ${index + 1}, ${card}`);
    return [];
  });
  if (problems.length > 0) {
    throw new DeckRefusal(`No deck was made. Correct this and call again:\n${listed(problems)}`);
  }
  return {
    name: checkName(input.name),
    noteType: input.note_type,
    ...languages,
    speech,
    cards,
  };
}

async function stored(
  context: ToolContext,
  call: ServerContext,
  draft: Draft,
  malformed?: readonly MalformedRow[],
): Promise<CallToolResult> {
  const deck = await context.shelf.add(context.owner, draft);
  context.log({ event: 'deck.stored', deckId: deck.id, cards: deck.cardCount, malformedRows: malformed?.length ?? 0 });
  const said = `The deck ${JSON.stringify(deck.name)} is stored: ${deck.cardCount} cards, deck_id ${deck.id}.`;
  if (!malformed) return deckAnswer(context, call, deck, said);
  const lines =
    malformed.length === 0
      ? []
      : [
          `${malformed.length} rows are NOT in the deck. Correct them and send only them, with the same deck_name:`,
          listed(malformed.map(rowText)),
        ];
  return deckAnswer(context, call, deck, said, { structured: { malformed_rows: malformed.slice() }, lines });
}

/** Languages that all cards share belong to the deck. */
function sharedLanguages(cards: readonly DraftCard[]): Pick<Draft, 'frontLanguage' | 'backLanguage' | 'cards'> {
  const [first] = cards;
  const shared = cards.every(
    (card) => card.frontLanguage === first?.frontLanguage && card.backLanguage === first?.backLanguage,
  );
  if (!shared || !first) return { cards };
  return {
    ...(first.frontLanguage && { frontLanguage: first.frontLanguage }),
    ...(first.backLanguage && { backLanguage: first.backLanguage }),
    cards: cards.map(({ frontLanguage: _, backLanguage: __, ...card }) => card),
  };
}

function noCards(malformed: readonly MalformedRow[]): string {
  if (malformed.length === 0) return 'The table has no rows. Send one card a line: front, a tab, back.';
  return `No deck was made, because no row can become a card:\n${listed(malformed.map(rowText))}`;
}

function rowText({ row, reason, text }: MalformedRow): string {
  return `row ${row}: ${reason} – ${JSON.stringify(text.slice(0, 60))}`;
}
