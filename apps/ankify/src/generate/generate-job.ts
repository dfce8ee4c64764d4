/** The run of a generation: a model writes the cards in parts, each checked, corrected at most twice, and kept. */
import { type Message, type Model, ModelRefusal } from '@mcp-gatehouse/models';
import { limits } from '../decks/deck.ts';
import type { DraftCard } from '../decks/draft.ts';
import type { Shelf } from '../decks/shelf.ts';
import { JobRefusal } from '../jobs/job.ts';
import type { Run } from '../jobs/run.ts';
import type { LogEvent } from '../tools/tool-context.ts';
import type { Usage } from '../usage/usage.ts';
import { firstMessage, repairMessage, systemPrompt } from './instructions.ts';
import { judge } from './judge.ts';
import { answerJsonSchema, type GenerateRequest } from './request.ts';

export interface GenerateWork {
  readonly kind: 'generate';
  readonly request: GenerateRequest;
  /** Cards of finished parts: a later run goes on behind them. */
  readonly made?: readonly DraftCard[];
}

export interface GenerateRunOptions {
  readonly model: Model;
  readonly shelf: Shelf;
  readonly usage: Usage;
  readonly log: (event: LogEvent) => void;
  /** Seconds. */
  readonly now: () => number;
}

/** A part takes a model about half a minute, and is all that an interrupted run does twice. */
const cardsPerPart = 25;
const tokensPerCard = 200;
const tokensPerAnswer = 500;
const repairs = 2;

export function generateRun(options: GenerateRunOptions): Run {
  return async ({ job, signal, progress, save, start }) => {
    if (job.work.kind !== 'generate') throw new Error(`job ${job.id} is no generation`);
    const { request } = job.work;
    let cards: readonly DraftCard[] = job.work.made ?? [];
    let corrected = 0;
    progress(cards.length, request.count);
    await refuseUnstorable(options, job.owner, request.count);
    while (cards.length < request.count) {
      const wanted = Math.min(cardsPerPart, request.count - cards.length);
      const part = await writePart(options, job.owner, request, cards, wanted, signal);
      corrected += part.corrections;
      if (part.cards.length === 0) break; // the material gives no more
      cards = [...cards, ...part.cards];
      progress(cards.length, request.count);
      await save({ kind: 'generate', request, made: cards });
      if (part.cards.length < wanted / 2) break;
    }
    if (cards.length === 0)
      throw new JobRefusal('The language model wrote no cards for this. Describe the topic more closely.');
    const { name, noteType, frontLanguage, backLanguage, speech } = request;
    const languages = { ...(frontLanguage && { frontLanguage }), ...(backLanguage && { backLanguage }) };
    signal.throwIfAborted();
    const deck = await options.shelf.add(job.owner, { name, noteType, ...languages, speech, cards });
    options.log({ event: 'deck.stored', deckId: deck.id, cards: deck.cardCount, malformedRows: 0 });
    if (speech === 'recorded') await start({ kind: 'speech', deckId: deck.id, version: deck.version });
    const notes = [
      cards.length < request.count
        ? `${cards.length} of ${request.count} cards were made; there was no more to ask.`
        : '',
      corrected > 0 ? `The language model had to correct its cards ${corrected} times.` : '',
    ].filter(Boolean);
    return { deckId: deck.id, ...(notes.length > 0 && { note: notes.join(' ') }) };
  };
}

/** Tokens for cards that could not be kept would be spent for nothing. The deck itself is charged when it is stored. */
async function refuseUnstorable({ usage, now }: GenerateRunOptions, owner: string, cards: number): Promise<void> {
  const chargedAt = now();
  const refusal = await usage.charge(owner, { decks: 1, cards });
  if (refusal) throw new JobRefusal(refusal.message);
  await usage.refund(owner, { decks: 1, cards }, chargedAt);
}

interface Part {
  readonly cards: readonly DraftCard[];
  readonly corrections: number;
}

/** Throws `JobRefusal` if the cards are still not valid after the last correction. */
async function writePart(
  options: GenerateRunOptions,
  owner: string,
  request: GenerateRequest,
  known: readonly DraftCard[],
  wanted: number,
  signal: AbortSignal,
): Promise<Part> {
  const messages: Message[] = [firstMessage(request, wanted, known)];
  let cards: readonly DraftCard[] = [];
  for (let corrections = 0; ; corrections++) {
    const maxTokens = tokensPerAnswer + wanted * tokensPerCard;
    const answer = await ask(options, owner, { system: systemPrompt(request), messages, maxTokens, signal });
    if (answer.stop === 'refusal') {
      throw new JobRefusal('The language model declined to write cards about this. Choose another topic or text.');
    }
    const verdict = judge(request, answer.value, [...known, ...cards]);
    const problems = answer.value === undefined ? [noJson(answer.stop)] : verdict.problems;
    cards = [...cards, ...verdict.cards].slice(0, wanted);
    if (problems.length === 0 || cards.length === wanted) return { cards, corrections };
    if (corrections === repairs) {
      const listed = problems.slice(0, 10).map((problem) => `- ${problem}`);
      throw new JobRefusal(
        `The language model's cards were not valid, also after ${repairs} corrections:\n${listed.join('\n')}`,
      );
    }
    options.log({ event: 'cards.corrected', corrections: corrections + 1, problems: problems.length });
    // A provider takes no empty message.
    messages.push({ role: 'assistant', text: answer.text.slice(0, limits.fieldLength) || '(nothing)' });
    messages.push(repairMessage(problems, wanted - cards.length));
  }
}

function noJson(stop: 'end' | 'length' | 'refusal'): string {
  return stop === 'length' ? 'the answer was cut off: write fewer and shorter cards' : 'the answer is no JSON object';
}

/** One call of the model. The most it can take is charged before; what it did not take is given back. */
async function ask(
  { model, usage, now }: GenerateRunOptions,
  owner: string,
  request: { system: string; messages: readonly Message[]; maxTokens: number; signal: AbortSignal },
) {
  const schema = answerJsonSchema;
  const bytes = Buffer.byteLength(request.system + JSON.stringify(request.messages) + JSON.stringify(schema));
  // No tokenizer makes more than one token of a byte; two bytes a token is beyond what any text really takes.
  const reserved = Math.ceil(bytes / 2) + request.maxTokens;
  const chargedAt = now();
  const refusal = await usage.charge(owner, { modelTokens: reserved });
  if (refusal) throw new JobRefusal(refusal.message);
  let used = 0;
  try {
    const answer = await model.complete({ ...request, schema });
    used = answer.usage.inputTokens + answer.usage.outputTokens;
    return answer;
  } catch (error) {
    if (!(error instanceof ModelRefusal)) throw error;
    // What the provider says of itself and of our account is for the log of the operator.
    throw new JobRefusal('The language model does not take this request. Try a shorter text, or ask the operator.', {
      cause: error,
    });
  } finally {
    if (used < reserved) await usage.refund(owner, { modelTokens: reserved - used }, chargedAt);
    else await usage.settle(owner, { modelTokens: used - reserved });
  }
}
