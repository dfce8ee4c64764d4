/** What the person has used of this month's quota. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { readUsage } from '../api/decks.ts';
import type { Amount, Usage } from '../api/shapes.ts';
import { ProblemNote } from '../look/parts.tsx';
import { day, language, number, words } from '../words/language.ts';

export function UsagePage() {
  const { usage: text } = words.value;
  const usage = useSignal<Usage | undefined>(undefined);
  const error = useSignal<unknown>(undefined);
  const attempt = useSignal(0);
  useEffect(() => {
    readUsage().then(
      (read) => {
        usage.value = read;
        error.value = undefined;
      },
      (cause: unknown) => {
        error.value = cause;
      },
    );
  }, [attempt.value]);
  const now = usage.value;
  return (
    <div class="wide">
      <h1>{text.title}</h1>
      {error.value !== undefined && <ProblemNote error={error.value} retry={() => attempt.value++} />}
      {!now && error.value === undefined && <p class="quiet">{words.value.loading}</p>}
      {now && (
        <>
          <p class="lead">{text.lead(monthName(now.month))}</p>
          <div class="meters">
            <Meter words={text.decks} amount={now.decks} />
            <Meter words={text.characters} amount={now.characters} />
            <Meter words={text.tokens} amount={now.model_tokens} />
          </div>
          <p class="quiet">{text.reset(day(now.resets_at))}</p>
        </>
      )}
    </div>
  );
}

interface MeterProps {
  readonly words: { readonly name: string; readonly unit: string; readonly hint: string };
  readonly amount: Amount;
}

function Meter({ words: { name, unit, hint }, amount: { used, limit } }: MeterProps) {
  const { of, left } = words.value.usage;
  return (
    <section class="meter">
      <h2>{name}</h2>
      <span class="tabular">{left(number(Math.max(0, limit - used)))}</span>
      <meter aria-label={name} min={0} max={limit} value={Math.min(used, limit)} high={limit * 0.85} optimum={0}>
        {of(number(used), number(limit), unit)}
      </meter>
      <span class="quiet tabular">{of(number(used), number(limit), unit)}</span>
      <p class="hint">{hint}</p>
    </section>
  );
}

/** `2026-11` → `November 2026`. */
function monthName(month: string): string {
  const format = new Intl.DateTimeFormat(language.value, { month: 'long', year: 'numeric', timeZone: 'UTC' });
  return format.format(new Date(`${month}-01T00:00:00Z`));
}
