/** The frame around every view: who is signed in, where one is, in which language and light. */
import { effect, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Unreachable } from './api/problem.ts';
import { forgetClips } from './deck/sound.ts';
import { forgetUnsaved, hasUnsaved } from './deck/unsaved.ts';
import { Mark } from './look/icons.tsx';
import { News, tell } from './look/news.tsx';
import { ProblemNote, problemWords, Question } from './look/parts.tsx';
import { Link, path } from './look/router.tsx';
import { chooseTheme, type Theme, theme } from './look/theme.ts';
import { clearPlan } from './new-deck/plan.ts';
import { ConnectPage } from './pages/connect.tsx';
import { DeckPage } from './pages/deck.tsx';
import { DecksPage } from './pages/decks.tsx';
import { MissingPage } from './pages/missing.tsx';
import { NewDeckPage } from './pages/new-deck.tsx';
import { SignInPage } from './pages/sign-in.tsx';
import { UsagePage } from './pages/usage.tsx';
import { restore, session, signOut } from './session/session.ts';
import { chooseLanguage, language, languages, words } from './words/language.ts';

// The next person at this computer finds nothing, in no tab.
effect(() => {
  if (session.value.is !== 'out' || session.value.why !== 'done') return;
  clearPlan();
  forgetClips();
});

export function App() {
  return (
    <>
      <a class="skip" href="#main">
        {words.value.skip}
      </a>
      <Header />
      <Main />
      <Footer />
      <News />
    </>
  );
}

function Main() {
  const main = useRef<HTMLElement>(null);
  const shown = `${session.value.is} ${path.value}`;
  const first = useRef(true);
  useEffect(() => {
    const heading = main.current?.querySelector('h1')?.textContent;
    document.title = heading ? `${heading} – Ankify` : 'Ankify';
    if (session.value.is === 'starting') return;
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
  }, [shown]);
  return (
    <main id="main" tabIndex={-1} ref={main}>
      <View />
    </main>
  );
}

function View(): ComponentChildren {
  const { is } = session.value;
  if (is === 'starting') return <p class="quiet centred">{words.value.loading}</p>;
  if (is === 'unreachable') {
    return (
      <div class="narrow">
        <h1>{words.value.unreachable.title}</h1>
        <p class="lead">{words.value.unreachable.text}</p>
        <ProblemNote error={new Unreachable('')} retry={() => void restore()} />
      </div>
    );
  }
  if (path.value === '/connect') return <ConnectPage />;
  if (is === 'out') return <SignInPage />;
  if (path.value === '/') return <DecksPage />;
  if (path.value === '/new') return <NewDeckPage />;
  if (path.value === '/usage') return <UsagePage />;
  const deck = /^\/decks\/([0-9a-f-]{36})$/.exec(path.value)?.[1];
  if (deck !== undefined) return <DeckPage key={deck} id={deck} />;
  return <MissingPage />;
}

function Header() {
  const { nav } = words.value;
  const isIn = session.value.is === 'in';
  return (
    <header class="top">
      <div class="top-inner">
        <Link to="/" class="brand" label="Ankify">
          <Mark />
          <span>Ankify</span>
        </Link>
        <nav aria-label={nav.label}>
          {isIn && (
            <Link to="/" current={path.value === '/' || path.value.startsWith('/decks/')}>
              {nav.decks}
            </Link>
          )}
          <Link to="/connect" current={path.value === '/connect'}>
            {nav.connect}
          </Link>
          {isIn && (
            <Link to="/usage" current={path.value === '/usage'}>
              {nav.usage}
            </Link>
          )}
        </nav>
        {isIn && <SignOut />}
      </div>
    </header>
  );
}

function SignOut() {
  const asks = useSignal(false);
  const leave = async () => {
    asks.value = false;
    try {
      await signOut();
      forgetUnsaved();
    } catch (error) {
      tell(problemWords(error).what);
    }
  };
  const { leave: question, nav } = words.value;
  return (
    <>
      <button
        type="button"
        class="button is-quiet sign-out"
        onClick={() => {
          if (hasUnsaved()) asks.value = true;
          else void leave();
        }}
      >
        {nav.signOut}
      </button>
      {asks.value && (
        <Question
          title={question.title}
          text={question.text}
          yes={question.yes}
          onYes={() => void leave()}
          onNo={() => {
            asks.value = false;
          }}
        />
      )}
    </>
  );
}

function Footer() {
  const { language: label, theme: themes } = words.value;
  const options: readonly Theme[] = ['system', 'light', 'dark'];
  return (
    <footer class="bottom">
      <label>
        <span>{label}</span>
        <select
          value={language.value}
          onChange={(event) => {
            chooseLanguage(event.currentTarget.value === 'de' ? 'de' : 'en').catch((error: unknown) =>
              tell(problemWords(error).what),
            );
          }}
        >
          {languages.map(({ id, name }) => (
            <option key={id} value={id} lang={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{themes.label}</span>
        <select value={theme.value} onChange={(event) => chooseTheme(event.currentTarget.value as Theme)}>
          {options.map((option) => (
            <option key={option} value={option}>
              {themes[option]}
            </option>
          ))}
        </select>
      </label>
    </footer>
  );
}
