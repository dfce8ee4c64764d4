/** The error page: what happened and what to do, for requests that must not be redirected. */
import type { HttpReply } from '../../oauth/http.ts';
import { html, page } from './page.ts';

export interface ErrorFacts {
  readonly status: number;
  readonly title: string;
  /** What happened; ours or fixed text, never a stranger's. */
  readonly description: string;
  /** The registered code, for whoever writes the client. */
  readonly code: string;
  /** A way back that the person may take; it is never taken for them. */
  readonly back?: { readonly href: string; readonly host: string };
  readonly headers?: Readonly<Record<string, string>>;
}

export function errorPage({ status, title, description, code, back, headers }: ErrorFacts): HttpReply {
  return page(
    status,
    title,
    html`<h1>${title}</h1>
<p>${description}</p>
${back && html`<p class="actions"><a class="button" href="${back.href}" rel="noreferrer">Return to ${back.host}</a></p>`}
<p class="note">Close this window and connect again from your application. For its developer: <code>${code}</code></p>`,
    headers,
  );
}
