/** The error page: what happened and what to do, for requests that must not be redirected. */
import type { HttpReply } from '../../oauth/http.ts';
import { html } from './html.ts';
import { page } from './page.ts';
import { words } from './words.ts';

export interface ErrorFacts {
  readonly status: number;
  readonly title: string;
  /** What happened; ours or fixed text, never a stranger's. */
  readonly description: string;
  /** The registered code, for whoever writes the client. */
  readonly code: string;
  /** A way back that the person may take; it is never taken for them. */
  readonly back?: { readonly href: string; readonly host: string };
  /** A page of ours to go on at, where no application is involved. */
  readonly link?: { readonly href: string; readonly text: string };
  readonly headers?: Readonly<Record<string, string>>;
}

export function errorPage({ status, title, description, code, back, link, headers }: ErrorFacts): HttpReply {
  return page(
    status,
    title,
    html`<h1>${title}</h1>
<p>${description}</p>
${back && html`<p class="actions"><a class="button" href="${back.href}" rel="noreferrer">${words.error.back(back.host)}</a></p>`}
${link && html`<p class="actions"><a class="button" href="${link.href}">${link.text}</a></p>`}
${
  link
    ? html`<p class="note">${words.error.code} <code>${code}</code></p>`
    : html`<p class="note">${words.error.advice} ${words.error.forDeveloper} <code>${code}</code></p>`
}`,
    headers,
  );
}
