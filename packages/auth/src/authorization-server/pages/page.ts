/** The frame of every page for people: no script, nothing from elsewhere, not to be framed or cached (SEC-12). */
import { createHash } from 'node:crypto';
import type { HttpReply } from '../../oauth/http.ts';
import { Html, html } from './html.ts';
import { words } from './words.ts';

export { Html, html, strangersText } from './html.ts';

const style = `
:root{color-scheme:light dark;--ink:#1c1d21;--dim:#5b5f6a;--paper:#fff;--wash:#f3f4f7;--line:#d9dce3;--edge:#8a8f9c;--accent:#2a5bd7;--on:#fff;--warn:#7a4b00;--warnwash:#fff4dc;--good:#1d5c36;--goodwash:#e4f5ea;--bad:#b3261e;--onbad:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#eceef3;--dim:#a2a8b6;--paper:#1b1d23;--wash:#121317;--line:#363a45;--edge:#767d8d;--accent:#8fb0ff;--on:#0d1530;--warn:#ffd98a;--warnwash:#35290f;--good:#a4e3bb;--goodwash:#15301f;--bad:#ffb4ab;--onbad:#410e0b}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;grid-template-columns:minmax(0,1fr);place-items:center;padding:1.25rem;background:var(--wash);color:var(--ink);font:1rem/1.55 system-ui,sans-serif}
main{width:100%;max-width:30rem;background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:1.75rem}
h1{font-size:1.35rem;line-height:1.3;margin:0 0 .75rem;overflow-wrap:anywhere;text-wrap:balance}
p{margin:.6rem 0}ul{margin:.4rem 0 1rem;padding-left:1.2rem}li{margin:.25rem 0}
dl{margin:1rem 0;border-top:1px solid var(--line)}dl div{display:flex;flex-wrap:wrap;gap:.1rem .75rem;padding:.5rem 0;border-bottom:1px solid var(--line)}
dt{color:var(--dim);flex:0 0 8.5rem}dd{margin:0;flex:1 1 12rem;overflow-wrap:anywhere;font-weight:600}
.note{color:var(--dim);font-size:.9rem}.warn,.good{border-radius:8px;padding:.6rem .8rem;overflow-wrap:anywhere}
.warn{background:var(--warnwash);color:var(--warn)}.good{background:var(--goodwash);color:var(--good)}
.actions{display:flex;flex-wrap:wrap;gap:.6rem;margin-top:1.4rem}
button,.button{display:inline-block;font:inherit;font-weight:600;padding:.6rem 1.3rem;border-radius:9px;border:1px solid var(--edge);background:transparent;color:inherit;cursor:pointer;text-align:center;text-decoration:none;overflow-wrap:anywhere}
button:hover,.button:hover{border-color:currentColor;background:var(--wash)}
button.primary{background:var(--accent);border-color:var(--accent);color:var(--on)}
button.danger{background:var(--bad);border-color:var(--bad);color:var(--onbad)}
button.primary:hover{background:var(--accent);border-color:var(--ink)}button.danger:hover{background:var(--bad);border-color:var(--ink)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
a{color:var(--accent)}a.button{color:inherit}
code{font-size:.9em}p code{overflow-wrap:anywhere}
h2{font-size:1.1rem;margin:1.6rem 0 .4rem}h3{font-size:.95rem;margin:1rem 0 .25rem}small{color:var(--dim);font-weight:400}
pre{margin:.25rem 0;padding:.6rem .75rem;background:var(--wash);border:1px solid var(--line);border-radius:8px;white-space:pre;overflow-x:auto;user-select:all}
main:has(pre),main:has(.cards){max-width:44rem}
.logo{display:block;width:3rem;height:3rem;object-fit:contain;border-radius:10px;margin-bottom:.75rem;background:#fff}
.cards{list-style:none;margin:1.25rem 0;padding:0}
.cards>li{border:1px solid var(--line);border-radius:12px;padding:1rem 1.1rem;margin:0 0 .9rem}
.cards h2{margin:0;overflow-wrap:anywhere}.cards dl{margin:.6rem 0 .9rem;border:0}.cards dl div{padding:.25rem 0;border:0}
.cards dd{font-weight:400}.cards ul{list-style:none;margin:0;padding:0}.cards .warn{margin:0 0 .9rem}.cards li li{margin:0}.cards button{padding:.4rem 1.1rem}
.choice{margin:1rem 0 0}.choice label{display:inline-flex;align-items:center;gap:.6rem;min-height:1.75rem;cursor:pointer}.choice input{flex:none;width:1.2rem;height:1.2rem;margin:0;accent-color:var(--accent)}
.foot{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center;justify-content:space-between;border-top:1px solid var(--line);margin-top:1.25rem;padding-top:1.25rem}
nav{display:flex;flex-wrap:wrap;gap:.6rem 1rem;align-items:center}
@media (max-width:30rem){body{padding:.75rem}main{padding:1.25rem}}
@media (forced-colors:active){.warn,.good,main{border:1px solid}}
`;

const styleHash = createHash('sha256').update(style).digest('base64');

/** No `form-action`: Chrome applies it to the redirects that follow a form, and they lead to the client. */
const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; frame-ancestors 'none'`;

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  // Not `no-referrer`: with it browsers send `Origin: null` on our own form, and the check of its origin would be void.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
} as const;

export interface PageOptions {
  /** The page shows pictures that stand in it as `data:` URLs; none are fetched either way. */
  readonly dataImages?: boolean;
}

export function page(
  status: number,
  title: string,
  content: Html,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
  { dataImages = false }: PageOptions = {},
): HttpReply {
  const document = html`<!doctype html>
<html lang="${words.language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><style>${new Html(style)}</style></head>
<body><main>${content}</main></body></html>
`;
  const csp = dataImages ? `${policy}; img-src data:` : policy;
  return { status, headers: { ...pageHeaders, 'content-security-policy': csp, ...headers }, body: document.text };
}
