/** The deck as a file for Anki: speech first where some is missing, then the download, then what importing again does. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { exportDeck } from '../api/decks.ts';
import { followJob } from '../api/job-stream.ts';
import { ApiProblem } from '../api/problem.ts';
import type { Export, Job } from '../api/shapes.ts';
import { Icon } from '../look/icons.tsx';
import { tell } from '../look/news.tsx';
import { JobProgress, ProblemNote } from '../look/parts.tsx';
import { words } from '../words/language.ts';
import type { DeckEditor } from './deck-state.ts';
import { isBlank, isComplete } from './rows.ts';

export interface DownloadState {
  readonly busy: Signal<boolean>;
  readonly job: Signal<{ readonly seen: Job | undefined } | undefined>;
  readonly ready: Signal<Export | undefined>;
  readonly error: Signal<unknown>;
  start(): Promise<void>;
}

export function useDownload(editor: DeckEditor): DownloadState {
  const busy = useSignal(false);
  const job = useSignal<{ readonly seen: Job | undefined } | undefined>(undefined);
  const ready = useSignal<Export | undefined>(undefined);
  const error = useSignal<unknown>(undefined);
  const abort = useRef<AbortController>(undefined);
  useEffect(() => () => abort.current?.abort(), []);

  const prepare = async (id: string, signal: AbortSignal): Promise<Export> => {
    for (;;) {
      const answer = await exportDeck(id);
      if (answer.status === 'ready') return answer;
      job.value = { seen: answer.job };
      const ended = await followJob(
        answer.job.job_id,
        (seen) => {
          job.value = { seen };
        },
        signal,
      );
      job.value = undefined;
      if (ended.state === 'failed') throw new ApiProblem('other', 200, ended.error ?? '');
    }
  };

  return {
    busy,
    job,
    ready,
    error,
    async start() {
      const deck = editor.deck.value;
      if (!deck || busy.value) return;
      busy.value = true;
      error.value = undefined;
      ready.value = undefined;
      abort.current = new AbortController();
      const { signal } = abort.current;
      try {
        if (!(await editor.flush())) return;
        const file = await prepare(deck.deck_id, signal);
        ready.value = file;
        open(file);
        tell(words.value.deck.ready(file.file_name), true);
      } catch (cause) {
        if (!signal.aborted) error.value = cause;
      } finally {
        busy.value = false;
        job.value = undefined;
      }
    },
  };

  function open({ download_url, file_name }: Export): void {
    const link = document.createElement('a');
    link.href = download_url;
    link.download = file_name;
    link.click();
  }
}

export function DownloadButton({ state }: { readonly state: DownloadState }) {
  const { deck: text } = words.value;
  return (
    <button type="button" class="button is-main" disabled={state.busy.value} onClick={() => void state.start()}>
      <Icon name="download" />
      {state.busy.value ? text.preparing : text.download}
    </button>
  );
}

export function DownloadNews({ state, editor }: { readonly state: DownloadState; readonly editor: DeckEditor }) {
  const { deck: text } = words.value;
  const ready = state.ready.value;
  const type = editor.deck.value?.note_type ?? 'basic';
  const lacking = editor.rows.value.filter((row) => !row.removed && !isBlank(row) && !isComplete(type, row)).length;
  return (
    <>
      {state.job.value && <JobProgress label={text.recording} job={state.job.value.seen} />}
      {state.error.value !== undefined && <ProblemNote error={state.error.value} />}
      {ready && (
        <div class="note is-good">
          <p>
            <strong>{text.ready(ready.file_name)}</strong> {text.readyText}
          </p>
          {lacking > 0 && <p>{text.incompleteLeft(lacking)}</p>}
          <p>
            {text.notHere} <a href={ready.download_url}>{text.link}</a>
          </p>
        </div>
      )}
    </>
  );
}
