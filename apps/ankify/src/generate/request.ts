/** What may be asked of a language model: a request for cards, checked, and the shape of the answer. */
import * as z from 'zod/v4';
import { DeckRefusal, limits, type NoteType, type Speech } from '../decks/deck.ts';
import { checkLanguage, checkName, checkSpeech } from '../decks/draft.ts';

export interface GenerateRequest {
  /** A topic, a text, or both; never instructions. */
  readonly topic?: string;
  readonly text?: string;
  readonly name: string;
  readonly noteType: NoteType;
  /** BCP 47. */
  readonly frontLanguage?: string;
  readonly backLanguage?: string;
  readonly count: number;
  readonly speech: Speech;
}

export const generateLimits = {
  topicLength: 500,
  textLength: 20_000,
  cards: 100,
  defaultCards: 20,
} as const;

export interface AskedRequest {
  readonly topic?: string | undefined;
  readonly text?: string | undefined;
  readonly name?: string | undefined;
  readonly noteType?: NoteType | undefined;
  readonly frontLanguage?: string | undefined;
  readonly backLanguage?: string | undefined;
  readonly count?: number | undefined;
  readonly speech?: Speech | undefined;
}

/** Throws `DeckRefusal`. */
export function checkRequest(asked: AskedRequest): GenerateRequest {
  const topic = material('topic', asked.topic, generateLimits.topicLength);
  const text = material('text', asked.text, generateLimits.textLength);
  if (topic === undefined && text === undefined) throw new DeckRefusal('Give a topic, or a text to make cards of.');
  const frontLanguage = checkLanguage('front_language', asked.frontLanguage);
  const backLanguage = checkLanguage('back_language', asked.backLanguage);
  const count = asked.count ?? generateLimits.defaultCards;
  if (!Number.isInteger(count) || count < 1 || count > generateLimits.cards) {
    throw new DeckRefusal(`count: from 1 to ${generateLimits.cards} cards can be made at a time.`);
  }
  const speech = asked.speech ?? (frontLanguage || backLanguage ? 'device' : 'off');
  const request = {
    ...(topic !== undefined && { topic }),
    ...(text !== undefined && { text }),
    name: asked.name === undefined ? nameFrom(topic ?? 'Ankify') : checkName(asked.name),
    noteType: asked.noteType ?? 'basic',
    ...(frontLanguage && { frontLanguage }),
    ...(backLanguage && { backLanguage }),
    count,
    speech,
  };
  checkSpeech(request, []);
  return request;
}

/** One card of an answer. The bounds of a side are checked with its deck's rules, which say more. */
const answeredCard = z.object({
  front: z.string().describe('Plain text; in a cloze card with {{c1::hidden}}.'),
  back: z.string().describe('Plain text; in a cloze card a remark, or empty.'),
  extra: z.string().optional().describe('An example or a note, shown small below the answer.'),
  tags: z.array(z.string()).optional(),
});

export const answerSchema = z.object({ cards: z.array(answeredCard).max(2 * generateLimits.cards) });

/** The same for a model, and for a caller whose own model shall write the cards. */
export const answerJsonSchema: Readonly<Record<string, unknown>> = z.toJSONSchema(answerSchema);
export const cardJsonSchema: Readonly<Record<string, unknown>> = z.toJSONSchema(answeredCard);

function material(field: string, text: string | undefined, maxLength: number): string | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  if (text.length > maxLength) {
    throw new DeckRefusal(`${field}: it has ${text.length} characters; at most ${maxLength} can be used at a time.`);
  }
  if (!text.isWellFormed() || text.includes('\0'))
    throw new DeckRefusal(`${field}: it is no text (broken Unicode, or NUL).`);
  return text.trim();
}

/** A topic is nobody's choice of a name: what a name may not hold is left out. */
function nameFrom(topic: string): string {
  const line = topic
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .replace(/:{2,}/g, ':')
    .slice(0, 80)
    .toWellFormed();
  return checkName(line.replace(/^[\s:]+|[\s:]+$/g, '') || 'Ankify').slice(0, limits.nameLength);
}
