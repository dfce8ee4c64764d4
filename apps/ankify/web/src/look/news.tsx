/** What has just happened, said aloud by screen readers and shown for a while to everyone. */
import { signal } from '@preact/signals';

const said = signal('');
const shown = signal<{ readonly text: string; readonly id: number } | undefined>(undefined);
let last = 0;
let hiding: ReturnType<typeof setTimeout> | undefined;

const shownMs = 6000;

/** `quietly`: said, not shown, because the eye sees it anyway. */
export function tell(text: string, quietly = false): void {
  // The same words twice are news twice only if the region changes.
  said.value = said.value === text ? `${text}\u00a0` : text;
  if (quietly) return;
  last += 1;
  shown.value = { text, id: last };
  clearTimeout(hiding);
  hiding = setTimeout(() => {
    shown.value = undefined;
  }, shownMs);
}

export function News() {
  return (
    <>
      <p class="only-heard" role="status" aria-live="polite">
        {said.value}
      </p>
      {shown.value && (
        <p class="toast" key={shown.value.id} aria-hidden="true">
          {shown.value.text}
        </p>
      )}
    </>
  );
}
