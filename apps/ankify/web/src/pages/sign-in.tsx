/** What Ankify is, for somebody who is not signed in, and the way in. */
import { useSignal } from '@preact/signals';
import { Icon } from '../look/icons.tsx';
import { ProblemNote } from '../look/parts.tsx';
import { path } from '../look/router.tsx';
import { session, signIn } from '../session/session.ts';
import { words } from '../words/language.ts';

export function SignInPage() {
  const { signIn: text } = words.value;
  const error = useSignal<unknown>(undefined);
  const going = useSignal(false);
  const why = session.value.is === 'out' ? session.value.why : undefined;
  const begin = async () => {
    going.value = true;
    error.value = undefined;
    try {
      await signIn(path.value);
    } catch (cause) {
      error.value = cause;
      going.value = false;
    }
  };
  return (
    <div class="welcome">
      <div class="welcome-words">
        {why && (
          <p class={why === 'done' ? 'note' : 'note is-bad'} role="status">
            {text[why]}
          </p>
        )}
        <h1>{text.title}</h1>
        <p class="lead">{text.lead}</p>
        {error.value !== undefined && <ProblemNote error={error.value} />}
        <button type="button" class="button is-main is-large" onClick={begin} disabled={going.value}>
          {going.value ? text.going : text.button}
        </button>
        <ul class="points">
          {Object.values(text.points).map((point) => (
            <li key={point}>
              <Icon name="check" />
              {point}
            </li>
          ))}
        </ul>
      </div>
      <div class="pile" aria-hidden="true">
        <div class="pile-card">{text.sample.third}</div>
        <div class="pile-card">{text.sample.next}</div>
        <div class="pile-card">
          <span lang="de">{text.sample.front}</span>
          <Icon name="speaker" />
          <hr />
          <span lang="en">{text.sample.back}</span>
        </div>
      </div>
    </div>
  );
}
