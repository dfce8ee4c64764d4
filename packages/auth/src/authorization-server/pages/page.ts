/** Plain HTML for people: everything escaped, no script, nothing from elsewhere, not to be framed or cached (SEC-12). */
import { createHash } from 'node:crypto';
import type { HttpReply } from '../../oauth/http.ts';

/** HTML that is known to be safe, because `html` made it. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A template whose values are escaped for text and quoted attributes alike. Lists are joined; undefined is nothing. */
export function html(
  strings: TemplateStringsArray,
  ...values: ReadonlyArray<string | Html | readonly Html[] | undefined>
): Html {
  const parts = values.map((value) => {
    if (value === undefined) return '';
    if (typeof value === 'string') return escaped(value);
    return value instanceof Html ? value.text : value.map((item) => item.text).join('');
  });
  return new Html(String.raw({ raw: strings }, ...parts));
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/**
 * Text that a stranger chose, fit to be shown: without control, direction-changing and invisible characters, on one
 * line, and not long. A name that is empty then was not meant to be read.
 */
export function strangersText(text: string, maxLength = 80): string {
  const line = text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu, ' ')
    .replace(/\s+/gu, ' ')
    .trim();
  const characters = [...line];
  return characters.length > maxLength ? `${characters.slice(0, maxLength - 1).join('')}…` : line;
}

const style = `
:root{color-scheme:light dark;--ink:#1c1d21;--dim:#5b5f6a;--paper:#fff;--wash:#f3f4f7;--line:#d9dce3;--accent:#2a5bd7;--on:#fff;--warn:#7a4b00;--warnwash:#fff4dc}
@media (prefers-color-scheme:dark){:root{--ink:#eceef3;--dim:#a2a8b6;--paper:#1b1d23;--wash:#121317;--line:#363a45;--accent:#8fb0ff;--on:#0d1530;--warn:#ffd98a;--warnwash:#35290f}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;grid-template-columns:minmax(0,1fr);place-items:center;padding:1.25rem;background:var(--wash);color:var(--ink);font:1rem/1.55 system-ui,sans-serif}
main{width:100%;max-width:30rem;background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:1.75rem}
h1{font-size:1.35rem;line-height:1.3;margin:0 0 .75rem;overflow-wrap:anywhere}
p{margin:.6rem 0}ul{margin:.4rem 0 1rem;padding-left:1.2rem}li{margin:.25rem 0}
dl{margin:1rem 0;border-top:1px solid var(--line)}dl div{display:flex;flex-wrap:wrap;gap:.1rem .75rem;padding:.5rem 0;border-bottom:1px solid var(--line)}
dt{color:var(--dim);flex:0 0 8.5rem}dd{margin:0;flex:1 1 12rem;overflow-wrap:anywhere;font-weight:600}
.note{color:var(--dim);font-size:.9rem}.warn{background:var(--warnwash);color:var(--warn);border-radius:8px;padding:.6rem .8rem}
.actions{display:flex;flex-wrap:wrap;gap:.6rem;margin-top:1.4rem}
button,.button{font:inherit;font-weight:600;padding:.6rem 1.3rem;border-radius:9px;border:1px solid var(--dim);background:transparent;color:inherit;cursor:pointer;text-decoration:none}
button.primary{background:var(--accent);border-color:var(--accent);color:var(--on)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
code{font-size:.9em}p code{overflow-wrap:anywhere}
h2{font-size:1.1rem;margin:1.6rem 0 .4rem}h3{font-size:.95rem;margin:1rem 0 .25rem}small{color:var(--dim);font-weight:400}
pre{margin:.25rem 0;padding:.6rem .75rem;background:var(--wash);border:1px solid var(--line);border-radius:8px;white-space:pre;overflow-x:auto;user-select:all}
main:has(pre){max-width:44rem}
`;

const styleHash = createHash('sha256').update(style).digest('base64');

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  // No `form-action`: Chrome applies it to the redirects that follow a form, and they lead to the client.
  'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; frame-ancestors 'none'`,
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  // Not `no-referrer`: with it browsers send `Origin: null` on our own form, and the check of its origin would be void.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
} as const;

export function page(
  status: number,
  title: string,
  content: Html,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): HttpReply {
  const document = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><style>${new Html(style)}</style></head>
<body><main>${content}</main></body></html>
`;
  return { status, headers: { ...pageHeaders, ...headers }, body: document.text };
}
