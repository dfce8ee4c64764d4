/** `get_job`: how far long work is, after waiting for it for a while. */
import { type McpServer, requireScopes } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import { type Deck, DeckRefusal } from '../decks/deck.ts';
import { isOpen, type Job } from '../jobs/job.ts';
import { longestWaitSeconds } from '../jobs/jobs.ts';
import { deckLink, follow, progressText } from './deck-answer.ts';
import { answer, isoTime, packageOf, packageOutput, scopes, type ToolContext, timeSchema } from './tool-context.ts';

const jobInput = z.object({
  job_id: z.string().max(64, 'job_id: it is too long; take the job_id of an answer'),
  wait_seconds: z
    .int()
    .min(0)
    .max(longestWaitSeconds, `wait_seconds: at most ${longestWaitSeconds}; call again to wait longer`)
    .default(0)
    .describe('Answer as soon as the job has ended, at the latest after so many seconds.'),
});

const jobOutput = z.object({
  job_id: z.string(),
  kind: z.enum(['speech', 'generate']),
  state: z.enum(['waiting', 'working', 'done', 'failed']),
  done: z.int(),
  total: z.int().describe('0: not known yet.'),
  deck_id: z.string().optional(),
  error: z.string().optional(),
  note: z.string().optional(),
  next_job_id: z.string().optional().describe('The deck is made, and its speech is being recorded by this job.'),
  download_url: packageOutput.download_url.optional(),
  expires_at: packageOutput.expires_at.optional(),
  updated_at: timeSchema,
});

export function registerGetJob(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'get_job',
    {
      title: 'Follow long work',
      description:
        'Tells how far a job is that generate_deck, create_deck, edit_deck or export_deck answered with, and returns ' +
        'the link to the .apkg file once it is done. Call it again until the state is done or failed.',
      inputSchema: jobInput,
      outputSchema: jobOutput,
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      scopeChallenge: requireScopes(scopes.write),
    },
    ({ job_id, wait_seconds }, call) =>
      answer(context, 'get_job', async () => {
        const known = await context.jobs?.find(context.owner, job_id);
        if (!known) {
          throw new DeckRefusal(
            `There is no job ${JSON.stringify(job_id)} of yours. Finished jobs are kept for a day; list_decks shows the decks.`,
          );
        }
        return jobAnswer(context, await follow(context, call, known, wait_seconds));
      }),
  );
}

async function jobAnswer(context: ToolContext, job: Job) {
  const deck = job.state === 'done' && job.deckId ? await context.shelf.find(context.owner, job.deckId) : undefined;
  const next = deck && (await speechLeft(context, deck));
  const file = deck && !next ? packageOf(context, deck) : undefined;
  const text = [wordsOf(job), job.note ?? '', next ? nextWords(next) : '', file?.text ?? ''];
  return {
    content: [
      { type: 'text' as const, text: text.filter(Boolean).join('\n') },
      ...(file ? [file.resource] : []),
      ...(deck ? [deckLink(deck)] : []),
    ],
    structuredContent: {
      job_id: job.id,
      kind: job.kind,
      state: job.state,
      done: job.done,
      total: job.total,
      ...(job.deckId !== undefined && { deck_id: job.deckId }),
      ...(job.error !== undefined && { error: job.error }),
      ...(job.note !== undefined && { note: job.note }),
      ...(next && { next_job_id: next.id }),
      ...file?.structured,
      updated_at: isoTime(job.updatedAt),
    },
  };
}

/** What failed is not begun anew by looking at it. */
async function speechLeft(context: ToolContext, deck: Deck): Promise<Job | undefined> {
  const known = deck.speech === 'recorded' ? await context.jobs?.ofDeck(context.owner, deck.id) : undefined;
  return known?.state === 'failed' ? known : context.pendingSpeech?.(context.owner, deck);
}

function nextWords(job: Job): string {
  if (isOpen(job)) return `Now its speech is being recorded: call get_job with job_id ${job.id}.`;
  return `Its speech could not be recorded: ${job.error ?? ''} export_deck tries again.`;
}

function wordsOf(job: Job): string {
  if (isOpen(job)) return `The job is ${job.state}: ${progressText(job)}. Call get_job again.`;
  if (job.state === 'failed') return `The job failed: ${job.error ?? ''}`;
  return job.kind === 'speech' ? 'The speech is recorded.' : `The deck is made, deck_id ${job.deckId ?? ''}.`;
}
