/** The building blocks of the views: problems, progress, choices, copyable lines, questions. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { ApiProblem, SignedOut, Unreachable } from '../api/problem.ts';
import type { Job } from '../api/shapes.ts';
import { number, words } from '../words/language.ts';
import { Icon } from './icons.tsx';
import { tell } from './news.tsx';

/** What went wrong and what helps, in the person's language. */
export function problemWords(error: unknown): { what: string; cure: string; details: readonly string[] } {
  const { problems } = words.value;
  const known: Record<string, readonly [string, string]> = problems;
  const kind =
    error instanceof Unreachable
      ? 'unreachable'
      : error instanceof SignedOut
        ? 'signed-out'
        : error instanceof ApiProblem
          ? error.kind.replaceAll('_', '-')
          : 'other';
  const [what, cure] = known[kind] ?? problems.other;
  if (!(error instanceof ApiProblem)) return { what, cure, details: [] };
  const faults = error.errors.slice(0, 5).map(({ pointer, detail }) => (pointer ? `${pointer}: ${detail}` : detail));
  // Of a single fault the server's sentence says all.
  return { what, cure, details: error.detail && faults.length < 2 ? [error.detail] : faults };
}

export function ProblemNote({ error, retry }: { readonly error: unknown; readonly retry?: () => void }) {
  const { what, cure, details } = problemWords(error);
  return (
    <div class="note is-bad" role="alert">
      <p>
        <strong>{what}.</strong> {cure}
      </p>
      {details.length > 0 && (
        <p class="small" lang="en">
          {words.value.details}: {details.join(' ')}
        </p>
      )}
      {retry && (
        <button type="button" class="button" onClick={retry}>
          {words.value.again}
        </button>
      )}
    </div>
  );
}

/** `job` undefined: the connection is away. */
export function JobProgress({ label, job }: { readonly label: string; readonly job: Job | undefined }) {
  const id = useId();
  const { progress, reconnecting, waitingTurn } = words.value;
  const isKnown = job !== undefined && job.total > 0;
  const text = !job
    ? reconnecting
    : job.state === 'waiting'
      ? waitingTurn
      : isKnown
        ? progress(number(job.done), number(job.total))
        : '';
  return (
    <div class="progress">
      <span id={id}>{label}</span>
      <span class="quiet tabular">{text}</span>
      <progress aria-labelledby={id} {...(isKnown && { value: job.done, max: job.total })} />
    </div>
  );
}

interface ChoiceProps<T extends string> {
  readonly legend: string;
  readonly name: string;
  readonly value: T;
  readonly options: ReadonlyArray<{
    readonly value: T;
    readonly name: string;
    readonly hint?: string;
    readonly disabled?: boolean;
  }>;
  readonly onChange: (value: T) => void;
  /** Without hints, in one line. */
  readonly compact?: boolean;
  readonly hideLegend?: boolean;
}

export function Choice<T extends string>(props: ChoiceProps<T>) {
  const { legend, name, value, options, onChange, compact, hideLegend } = props;
  return (
    <fieldset class={compact ? 'choice is-compact' : 'choice'}>
      <legend class={hideLegend ? 'only-heard' : 'label'}>{legend}</legend>
      <div class="choice-options">
        {options.map((option) => (
          <label class="choice-option" key={option.value}>
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={option.value === value}
              disabled={option.disabled}
              onChange={() => onChange(option.value)}
            />
            <span class="choice-face">
              <span class="choice-name">{option.name}</span>
              {option.hint && <span class="choice-hint">{option.hint}</span>}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

interface FieldProps {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly error?: string | undefined;
  /** Given the ids that tie the control to its label and its hint. */
  readonly children: (ids: { id: string; describedBy: string | undefined }) => ComponentChildren;
}

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const describedBy = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined;
  return (
    <div class="field">
      <label class="label" for={id}>
        {label}
      </label>
      {children({ id, describedBy })}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p class="hint is-bad" id={`${id}-error`} role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

/** A line to be pasted elsewhere. */
export function CopyLine({ text, label }: { readonly text: string; readonly label: string }) {
  const copied = useSignal(false);
  const line = useRef<HTMLElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      copied.value = true;
      tell(words.value.copied, true);
      setTimeout(() => {
        copied.value = false;
      }, 2000);
    } catch {
      // Not allowed to: then it is at least marked, and one key away.
      if (line.current) getSelection()?.selectAllChildren(line.current);
    }
  };
  return (
    <div class="copy-line">
      <code ref={line}>{text}</code>
      <button type="button" class="button is-quiet" onClick={copy} aria-label={`${words.value.copy}: ${label}`}>
        <Icon name={copied.value ? 'check' : 'copy'} />
        {copied.value ? words.value.copied : words.value.copy}
      </button>
    </div>
  );
}

interface QuestionProps {
  readonly title: string;
  readonly text: string;
  readonly yes: string;
  readonly onYes: () => void;
  readonly onNo: () => void;
}

/** Asked before something is gone. Escape and the first button mean no. */
export function Question({ title, text, yes, onYes, onNo }: QuestionProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Before anything else can be pressed.
  useLayoutEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onNo}>
      <h2 id={id}>{title}</h2>
      <p>{text}</p>
      <div class="row is-end">
        <button type="button" class="button" onClick={() => dialog.current?.close()}>
          {words.value.cancel}
        </button>
        <button type="button" class="button is-danger" onClick={onYes}>
          {yes}
        </button>
      </div>
    </dialog>
  );
}
