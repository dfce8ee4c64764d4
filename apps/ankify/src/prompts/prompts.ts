/** The prompts `vocab` and `deck`: a person picks one, and the assistant writes good cards and calls the right tool. */
import { completable, type McpServer, requireScopes } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import { languageCodes, resolveLanguage } from '../anki/speech.ts';
import { limits } from '../decks/deck.ts';
import { instructionsFor } from '../generate/instructions.ts';
import { scopes } from '../tools/tool-context.ts';

const noteTypes = ['forward_and_backward', 'forward_only'] as const;
const customInput = z.string().max(4000).optional().describe('Anything else to mind, in your own words.');

export function registerPrompts(server: McpServer): void {
  server.registerPrompt(
    'vocab',
    {
      title: 'Vocabulary deck',
      description: 'Makes a vocabulary deck of two languages from the words you give or talk about.',
      argsSchema: z.object({
        language_a: languageInput('The language you learn, such as "de" or "German".'),
        language_b: languageInput('The language you know.'),
        note_type: completable(z.enum(noteTypes).default('forward_and_backward'), startingWith(noteTypes)),
        custom_instructions: customInput,
      }),
      scopeChallenge: requireScopes(scopes.write),
    },
    ({ language_a, language_b, note_type, custom_instructions }) => {
      const noteType = note_type === 'forward_only' ? 'basic' : 'reversed';
      const [a, b] = [nameOf(language_a), nameOf(language_b)];
      return userMessage([
        `Make me an Anki vocabulary deck, ${a} and ${b}.`,
        'If I have not given you words or a topic yet, ask me for them first, and do nothing else.',
        instructionsFor({ noteType }),
        `Each front is in ${a}, each back its translation in ${b}: words in their dictionary form, nouns with article ` +
          'and plural where the language has them. Put a short example sentence into extra.',
        `Then call create_deck with note_type "${noteType}", front_language "${codeOf(language_a)}" and back_language ` +
          `"${codeOf(language_b)}", at most ${limits.cardsPerDeck} cards a call, and give me the link.`,
        custom(custom_instructions),
      ]);
    },
  );
  const kinds = ['basic', 'reversed', 'cloze'] as const;
  server.registerPrompt(
    'deck',
    {
      title: 'Deck about a topic',
      description: 'Makes a deck about a topic, or about what you have just talked about.',
      argsSchema: z.object({
        topic: z.string().max(500).optional().describe('Left out: what this conversation is about.'),
        language: languageInput('The language of the cards, such as "en".').optional(),
        note_type: completable(z.enum(kinds).default('basic'), startingWith(kinds)),
        custom_instructions: customInput,
      }),
      scopeChallenge: requireScopes(scopes.write),
    },
    ({ topic, language, note_type, custom_instructions }) =>
      userMessage([
        topic === undefined
          ? 'Make me an Anki deck about what we have talked about. If there is nothing yet, ask me for a topic first.'
          : `Make me an Anki deck about: ${topic}`,
        instructionsFor({ noteType: note_type }),
        language === undefined
          ? ''
          : `Write the cards in ${nameOf(language)}, and tell create_deck its code, "${codeOf(language)}".`,
        `Show me the cards, let me correct them, then call create_deck with note_type "${note_type}", at most ` +
          `${limits.cardsPerDeck} cards a call, and give me the link.`,
        custom(custom_instructions),
      ]),
  );
}

function languageInput(description: string) {
  return completable(z.string().min(1).max(40).describe(description), startingWith(languageCodes));
}

function startingWith<T extends string>(values: readonly T[]) {
  return (typed: string | undefined): T[] => values.filter((value) => value.startsWith((typed ?? '').toLowerCase()));
}

/** A language we do not know is the assistant's to understand. */
function codeOf(language: string): string {
  return resolveLanguage(language) ?? language.trim();
}

function nameOf(language: string): string {
  const code = resolveLanguage(language);
  return (code && new Intl.DisplayNames('en', { type: 'language' }).of(code)) ?? language.trim();
}

function custom(instructions: string | undefined): string {
  return instructions?.trim() ? `Also: ${instructions.trim()}` : '';
}

function userMessage(paragraphs: readonly string[]) {
  const text = paragraphs.filter(Boolean).join('\n\n');
  return { messages: [{ role: 'user' as const, content: { type: 'text' as const, text } }] };
}
