/** Where the cards come from: a text that is typed or pasted, a file, or a topic for a language model. */
import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { about } from '../api/decks.ts';
import { Icon } from '../look/icons.tsx';
import { tell } from '../look/news.tsx';
import { Field } from '../look/parts.tsx';
import { Link } from '../look/router.tsx';
import { words } from '../words/language.ts';
import { count, deckName, startText, topic, way } from './plan.ts';
import { fileTypes, readTextFile } from './text-file.ts';

export function TextSource({ area }: { readonly area: RefObject<HTMLTextAreaElement | null> }) {
  const { make: text } = words.value;
  return (
    <Field label={text.text} hint={text.textHint}>
      {({ id, describedBy }) => (
        <textarea
          id={id}
          ref={area}
          class="list-text"
          rows={12}
          dir="auto"
          spellcheck={false}
          aria-describedby={describedBy}
          placeholder={text.placeholder}
          value={startText.value}
          onInput={(event) => {
            startText.value = event.currentTarget.value;
          }}
        />
      )}
    </Field>
  );
}

export function FileSource() {
  const { make: text } = words.value;
  const fault = useSignal<'fileWrong' | 'fileLarge' | undefined>(undefined);
  const isOver = useSignal(false);
  const take = async (file: File | null | undefined) => {
    if (!file) return;
    const read = await readTextFile(file).catch(() => ({ fault: 'fileWrong' as const }));
    if ('fault' in read) {
      fault.value = read.fault;
      return;
    }
    fault.value = undefined;
    startText.value = read.text;
    if (deckName.value === '') deckName.value = read.name;
    way.value = 'paste';
    tell(text.fileRead(file.name));
  };
  return (
    <>
      <label
        class={isOver.value ? 'drop is-over' : 'drop'}
        onDragOver={(event) => {
          event.preventDefault();
          isOver.value = true;
        }}
        onDragLeave={() => {
          isOver.value = false;
        }}
        onDrop={(event) => {
          event.preventDefault();
          isOver.value = false;
          void take(event.dataTransfer?.files[0]);
        }}
      >
        <Icon name="file" />
        <span class="drop-title">{text.drop}</span>
        <span class="hint">{text.dropHint}</span>
        <span class="button">{text.choose}</span>
        <input
          type="file"
          class="only-heard"
          accept={fileTypes}
          onChange={(event) => void take(event.currentTarget.files?.[0])}
        />
      </label>
      {fault.value && (
        <p class="note is-bad" role="alert">
          {text[fault.value]}
        </p>
      )}
    </>
  );
}

export function TopicSource({ missing }: { readonly missing: boolean }) {
  const { make: text } = words.value;
  if (about.value?.model === null) {
    return (
      <div class="note">
        <p>{text.noModel}</p>
        <Link to="/connect" class="button">
          {text.connect}
        </Link>
      </div>
    );
  }
  return (
    <>
      <Field label={text.topic} hint={text.topicHint} error={missing ? text.topicMissing : undefined}>
        {({ id, describedBy }) => (
          <textarea
            id={id}
            rows={3}
            maxLength={500}
            dir="auto"
            aria-describedby={describedBy}
            placeholder={text.topicPlaceholder}
            value={topic.value}
            onInput={(event) => {
              topic.value = event.currentTarget.value;
            }}
          />
        )}
      </Field>
      <Field label={text.count}>
        {({ id }) => (
          <input
            id={id}
            class="is-short"
            type="number"
            min={1}
            max={100}
            value={count.value}
            onInput={(event) => {
              const wanted = event.currentTarget.valueAsNumber;
              if (Number.isInteger(wanted)) count.value = Math.min(100, Math.max(1, wanted));
            }}
          />
        )}
      </Field>
    </>
  );
}
