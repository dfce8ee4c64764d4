/** The page begins. */
import { render } from 'preact';
import './style/tokens.css';
import './style/base.css';
import './style/controls.css';
import './style/news.css';
import './style/views.css';
import './style/make.css';
import './style/deck.css';
import { App } from './app.tsx';
import { go } from './look/router.tsx';
import { start } from './session/session.ts';
import { loadLanguage } from './words/language.ts';

const root = document.getElementById('app');
if (!root) throw new Error('index.html has no #app');
await loadLanguage();
render(<App />, root);
go(await start(), true);
