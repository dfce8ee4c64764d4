/** A new deck: from a list, a file or a topic, seen before it is made. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { about, createDeck, generateDeck, loadAbout, parseText, readUsage } from '../api/decks.ts';
import { followJob, pause } from '../api/job-stream.ts';
import { ApiProblem } from '../api/problem.ts';
import type { Job, Parsed, Usage } from '../api/shapes.ts';
import { tell } from '../look/news.tsx';
import { Choice, Field, JobProgress, ProblemNote } from '../look/parts.tsx';
import { go } from '../look/router.tsx';
import { Details } from '../new-deck/details.tsx';
import * as plan from '../new-deck/plan.ts';
import { Preview } from '../new-deck/preview.tsx';
import { FileSource, TextSource, TopicSource } from '../new-deck/sources.tsx';
import { words } from '../words/language.ts';

const typingMs = 300;

export function NewDeckPage() {
  const { make: text } = words.value;
  const parsed = useSignal<Parsed | undefined>(undefined);
  const parseError = useSignal<unknown>(undefined);
  const error = useSignal<unknown>(undefined);
  const usage = useSignal<Usage | undefined>(undefined);
  const busy = useSignal(false);
  const missing = useSignal<'name' | 'topic' | undefined>(undefined);
  const job = useSignal<Job | undefined>(undefined);
  const area = useRef<HTMLTextAreaElement>(null);
  const name = useRef<HTMLInputElement>(null);
  /** The same deck asked for twice, after a lost answer, is one deck. */
  const asked = useRef({ body: '', key: '' });

  useEffect(() => {
    loadAbout().catch((cause: unknown) => {
      error.value = cause;
    });
    // Without it the page says less, and works.
    readUsage().then(
      (read) => {
        usage.value = read;
      },
      () => undefined,
    );
  }, []);

  const source = plan.startText.value;
  const asType = plan.noteType.value;
  useEffect(() => {
    const abort = new AbortController();
    const parse = async () => {
      if (source.trim() === '') {
        parsed.value = undefined;
        parseError.value = undefined;
        return;
      }
      await pause(parsed.value ? typingMs : 0, abort.signal);
      parsed.value = await parseText({ text: source, ...(asType !== 'guess' && { note_type: asType }) }, abort.signal);
      parseError.value = undefined;
    };
    parse().catch((cause: unknown) => {
      if (!abort.signal.aborted) parseError.value = cause;
    });
    return () => abort.abort();
  }, [source, asType]);

  const writing = plan.writing.value;
  useEffect(() => {
    if (writing === undefined) return;
    const abort = new AbortController();
    const show = (state: Job | undefined) => {
      job.value = state;
    };
    followJob(writing, show, abort.signal)
      .then((ended) => {
        plan.writing.value = undefined;
        if (ended.deck_id === undefined) {
          error.value = new ApiProblem('other', 200, ended.error ?? '');
          return;
        }
        plan.clearPlan();
        if (ended.note) tell(ended.note);
        go(`/decks/${ended.deck_id}`);
      })
      .catch((cause: unknown) => {
        if (abort.signal.aborted) return;
        plan.writing.value = undefined;
        error.value = cause;
      });
    return () => abort.abort();
  }, [writing]);

  const keyFor = (body: unknown) => {
    const json = JSON.stringify(body);
    if (asked.current.body !== json) asked.current = { body: json, key: crypto.randomUUID() };
    return asked.current.key;
  };
  const languages = () => ({
    ...(plan.frontLanguage.value && { front_language: plan.frontLanguage.value }),
    ...(plan.backLanguage.value && { back_language: plan.backLanguage.value }),
  });
  const isTopic = plan.way.value === 'topic';

  const make = async () => {
    missing.value = isTopic && plan.topic.value.trim() === '' ? 'topic' : undefined;
    if (!isTopic && plan.deckName.value.trim() === '') missing.value = 'name';
    if (missing.value === 'name') name.current?.focus();
    if (missing.value || busy.value) return;
    busy.value = true;
    error.value = undefined;
    const given = plan.deckName.value.trim();
    try {
      if (isTopic) {
        const body = {
          topic: plan.topic.value.trim(),
          ...(given && { name: given }),
          note_type: plan.noteType.value === 'guess' ? ('basic' as const) : plan.noteType.value,
          ...languages(),
          audio: plan.speech.value,
          count: plan.count.value,
        };
        plan.writing.value = (await generateDeck(body, keyFor(body))).job.job_id;
      } else if (parsed.value) {
        const body = {
          name: given,
          note_type: parsed.value.note_type,
          ...languages(),
          audio: plan.speech.value,
          cards: plan.textCards(parsed.value),
        };
        const deck = await createDeck(body, keyFor(body));
        plan.clearPlan();
        go(`/decks/${deck.deck_id}`);
      }
    } catch (cause) {
      error.value = cause;
    } finally {
      busy.value = false;
    }
  };

  const jump = (row: number) => {
    if (plan.way.value === 'paste') return jumpTo(area.current, row);
    plan.way.value = 'paste';
    // Where another source was shown, the text is there one frame later.
    requestAnimationFrame(() => jumpTo(area.current, row));
  };

  const cards = parsed.value?.cards ?? [];
  const limit = about.value?.limits.cards_per_deck ?? 300;
  const noModel = isTopic && about.value?.model === null;
  const canMake = isTopic ? !noModel && writing === undefined : cards.length > 0 && cards.length <= limit;
  return (
    <form
      class="make"
      onSubmit={(event) => {
        event.preventDefault();
        void make();
      }}
      noValidate
    >
      <h1>{text.title}</h1>
      <Choice
        legend={text.how}
        hideLegend
        name="way"
        value={plan.way.value}
        compact
        options={(['paste', 'file', 'topic'] as const).map((value) => ({ value, name: text.ways[value] }))}
        onChange={(value) => {
          plan.way.value = value;
          if (value === 'topic' && plan.noteType.value === 'guess') plan.noteType.value = 'basic';
        }}
      />
      <div class={isTopic ? 'make-body is-single' : 'make-body'}>
        <div class="make-source">
          {plan.way.value === 'paste' && <TextSource area={area} />}
          {plan.way.value === 'file' && <FileSource />}
          {isTopic && <TopicSource missing={missing.value === 'topic'} />}
        </div>
        {!isTopic && <Preview parsed={parsed} error={parseError} onJump={jump} />}
        {!noModel && (
          <div class="make-details">
            <Field
              label={isTopic ? `${text.name} (${words.value.optional})` : text.name}
              hint={text.nameHint}
              error={missing.value === 'name' ? text.nameMissing : undefined}
            >
              {({ id, describedBy }) => (
                <input
                  id={id}
                  ref={name}
                  type="text"
                  maxLength={200}
                  dir="auto"
                  autocomplete="off"
                  aria-describedby={describedBy}
                  aria-invalid={missing.value === 'name'}
                  value={plan.deckName.value}
                  onInput={(event) => {
                    plan.deckName.value = event.currentTarget.value;
                    if (missing.value === 'name') missing.value = undefined;
                  }}
                />
              )}
            </Field>
            <Details
              characters={
                isTopic
                  ? plan.count.value * 40
                  : plan.spokenCharacters(cards, plan.frontLanguage.value, plan.backLanguage.value)
              }
              tokens={isTopic ? plan.modelTokens(plan.count.value) : 0}
              usage={usage.value}
            />
            {cards.length > limit && !isTopic && <p class="note is-bad">{text.tooMany(cards.length, limit)}</p>}
            {error.value !== undefined && <ProblemNote error={error.value} />}
            {writing !== undefined && <JobProgress label={text.writing} job={job.value} />}
            <div class="row">
              <button type="submit" class="button is-main is-large" disabled={!canMake || busy.value}>
                {busy.value ? text.creating : isTopic ? text.generate : text.create}
              </button>
              {!isTopic && parsed.value && parsed.value.errors.length > 0 && cards.length > 0 && (
                <p class="hint">{text.leftOut(parsed.value.errors.length)}</p>
              )}
            </div>
          </div>
        )}
      </div>
    </form>
  );
}

/** Marks a line of the text and brings it into view. */
function jumpTo(area: HTMLTextAreaElement | null, row: number): void {
  if (!area) return;
  const lines = area.value.split('\n');
  const start = lines.slice(0, row - 1).reduce((length, line) => length + line.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[row - 1]?.length ?? 0));
  // Browsers follow the caret while somebody types, not when a script moves it.
  area.scrollTop = Math.max(0, (area.scrollHeight * (row - 1)) / lines.length - area.clientHeight / 3);
}
