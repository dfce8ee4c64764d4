/** How a tool answers with a deck: its package, or the job that still works on it, followed for as long as a client waits. */
import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import { type Deck, DeckRefusal, type Speech } from '../decks/deck.ts';
import { isOpen, type Job } from '../jobs/job.ts';
import { deckUri, packageOf, packageOutput, type ToolContext } from './tool-context.ts';

/** Clients give up a call after a minute, some without counting progress; this leaves time for what stands around it. */
export const patienceSeconds = 15;
/** A client that shows a bar needs no more. */
const notifyEveryMs = 250;

export const deckAnswerOutput = {
  deck_id: z.string(),
  cards: z.int().describe('How many cards the deck has.'),
  version: z.int().describe('Counts the edits; edit_deck takes it as expected_version.'),
  status: z
    .enum(['ready', 'working', 'failed'])
    .describe('working: its speech is being recorded, ask get_job. failed: it could not be; see error.'),
  job_id: z.string().optional().describe('Of the recording. Call get_job with it.'),
  download_url: packageOutput.download_url.optional(),
  expires_at: packageOutput.expires_at.optional(),
  error: z.string().optional().describe('Why the speech could not be recorded.'),
  note: z.string().optional().describe('What was done otherwise than asked.'),
};

/** Throws `DeckRefusal` where a deck asks for what this server has no means for. */
export function refuseUnrecordable(context: ToolContext, speech: Speech | undefined): void {
  if (speech !== 'recorded' || context.jobs?.kinds.has('speech')) return;
  throw new DeckRefusal('This server records no speech. Use audio "device": Anki then reads the cards aloud itself.');
}

/** `said`: the first sentence, which names the deck. */
export async function deckAnswer(
  context: ToolContext,
  call: ServerContext,
  deck: Deck,
  said: string,
  extra: { readonly structured?: Record<string, unknown>; readonly lines?: readonly string[] } = {},
): Promise<CallToolResult> {
  const pending = await context.pendingSpeech?.(context.owner, deck);
  const job = pending && (await follow(context, call, pending));
  const speech = job && speechOf(job);
  const ready = !speech || speech.status === 'ready';
  const file = packageOf(context, deck);
  return {
    content: [
      {
        type: 'text',
        text: [said, ...(speech?.lines ?? []), ...(ready ? [file.text] : []), ...(extra.lines ?? [])].join('\n'),
      },
      ...(ready ? [file.resource] : []),
      deckLink(deck),
    ],
    structuredContent: {
      deck_id: deck.id,
      cards: deck.cardCount,
      version: deck.version,
      status: speech?.status ?? 'ready',
      ...(speech?.status === 'working' && { job_id: job?.id }),
      ...(ready && file.structured),
      ...(speech?.status === 'failed' && { job_id: job?.id, error: job?.error }),
      ...(job?.note !== undefined && { note: job.note }),
      ...extra.structured,
    },
  };
}

export function deckLink(deck: Deck) {
  return {
    type: 'resource_link' as const,
    uri: deckUri(deck.id),
    name: `${deck.id}.json`,
    title: deck.name,
    description: 'The deck with its cards, as JSON.',
    mimeType: 'application/json',
  };
}

function speechOf(job: Job): { readonly status: 'ready' | 'working' | 'failed'; readonly lines: readonly string[] } {
  if (isOpen(job)) {
    const lines = [
      `Its speech is being recorded (${progressText(job)}). Call get_job with job_id ${job.id} until it is done; ` +
        'then export_deck gives the link.',
    ];
    return { status: 'working', lines };
  }
  if (job.state === 'done') return { status: 'ready', lines: job.note === undefined ? [] : [job.note] };
  const lines = [
    `Its speech could not be recorded: ${job.error ?? ''}`,
    'The deck itself is kept. export_deck tries again; edit_deck with audio "device" does without recordings.',
  ];
  return { status: 'failed', lines };
}

export function progressText({ done, total }: Job): string {
  return total === 0 ? 'it begins' : `${done} of ${total}`;
}

/** Until it ends or patience does; to who gave a progress token, each step is told meanwhile. */
export async function follow(
  context: ToolContext,
  { mcpReq }: ServerContext,
  job: Job,
  seconds = context.patienceSeconds ?? patienceSeconds,
): Promise<Job> {
  const { jobs, owner, log } = context;
  if (!jobs || !isOpen(job)) return job;
  const progressToken = mcpReq._meta?.progressToken;
  let told = -1;
  let toldAt = 0;
  const tell = (seen: Job) => {
    const due = !isOpen(seen) || Date.now() >= toldAt + notifyEveryMs;
    // MCP 2026-07-28, basic/patterns/progress: the value rises with each notification.
    if (progressToken === undefined || seen.done <= told || !due) return;
    told = seen.done;
    toldAt = Date.now();
    const message = seen.kind === 'speech' ? 'clips recorded' : 'cards written';
    const params = { progressToken, progress: seen.done, ...(seen.total > 0 && { total: seen.total }), message };
    mcpReq.notify({ method: 'notifications/progress', params }).catch((error: unknown) => {
      log({ event: 'progress.undelivered', error: String(error) });
    });
  };
  const stop = jobs.watch(owner, job.id, tell);
  try {
    return (await jobs.wait(owner, job.id, seconds)) ?? job;
  } finally {
    stop();
  }
}
