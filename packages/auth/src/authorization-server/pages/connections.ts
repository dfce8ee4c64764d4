/** The person's own page: what they allowed, in words, with a way to take back each and all of it. */
import type { Stored } from '@mcp-gatehouse/records';
import type { HttpReply } from '../../oauth/http.ts';
import { isLoopbackRedirect, redirectDisplay } from '../../oauth/redirect-uri.ts';
import type { Resource } from '../../oauth/resource.ts';
import type { Grant } from '../grant.ts';
import { type Html, html, strangersText } from './html.ts';
import { page } from './page.ts';
import { words } from './words.ts';

const say = words.connections;

/** What was just done, and how it is said. */
export type Done = 'one' | 'all';

export function notice(text: string | undefined): Done | undefined {
  return text === 'one' || text === 'all' ? text : undefined;
}

interface FormFacts {
  /** Path that the forms are posted to. */
  readonly action: string;
  /** Path of the page itself. */
  readonly page: string;
  /** What proves a form to be ours, by what it does. */
  readonly token: (action: string) => string;
  readonly cookie: string;
}

export interface ConnectionsFacts extends FormFacts {
  /** Those of this page; `count` is all of them. */
  readonly connections: readonly Stored<Grant>[];
  readonly count: number;
  readonly pageNumber: number;
  readonly pages: number;
  readonly resources: readonly Resource[];
  readonly now: number;
  readonly done?: Done;
}

export function connectionsPage(facts: ConnectionsFacts): HttpReply {
  const { connections, count, done, cookie } = facts;
  const foot = html`<div class="foot">${count > 0 ? html`<a class="button" href="${facts.page}?revoke=all">${say.revokeAll}</a>` : html`<span></span>`}
${form(facts, 'sign-out', undefined, html`<button>${say.signOut}</button>`)}</div>`;
  return page(
    200,
    say.title,
    html`<h1>${say.title}</h1>
${done && html`<p class="good" role="status">${done === 'one' ? say.doneOne : say.doneAll}</p>`}
${
  count === 0
    ? html`<p><strong>${say.empty}</strong></p><p>${say.emptyMore}</p>`
    : html`<p>${say.purpose}</p><p class="note">${say.unchecked}</p>
<ul class="cards" role="list">${connections.map((connection) => card(connection, facts))}</ul>${pager(facts)}`
}
${foot}`,
    { 'set-cookie': cookie },
  );
}

function card({ id, value: grant }: Stored<Grant>, facts: ConnectionsFacts): Html {
  const { clientName, scope, redirectUri, createdAt, advancedAt, generation, graceReplays } = grant;
  const claimed = strangersText(clientName ?? '');
  const name = claimed === '' ? words.unnamedApplication : claimed;
  const resource = facts.resources.find(({ uri }) => uri === grant.resource);
  const resourceName = resource?.name ?? new URL(grant.resource).host;
  const powers = scope.map((token) => html`<li>${resource?.scopes[token] ?? token}</li>`);
  const place = isLoopbackRedirect(redirectUri) ? say.thisComputer : redirectDisplay(redirectUri);
  return html`<li><h2><bdi>${name}</bdi></h2>
<dl>
<div><dt>${say.uses}</dt><dd>${resourceName}</dd></div>
<div><dt>${say.may}</dt><dd>${powers.length > 0 ? html`<ul role="list">${powers}</ul>` : say.mayNothing}</dd></div>
<div><dt>${say.connectedFrom}</dt><dd>${place}</dd></div>
<div><dt>${say.allowed}</dt><dd>${moment(createdAt)}</dd></div>
<div><dt>${say.lastUsed}</dt><dd>${generation === 0 ? say.neverUsed : html`${words.ago(facts.now - advancedAt)} (${moment(advancedAt)})`}</dd></div>
</dl>
${graceReplays > 0 ? html`<p class="warn">${say.graceReplays(graceReplays)}</p>` : undefined}
${form(facts, 'revoke', id, html`<button aria-label="${say.revokeOne(name, resourceName)}">${say.revoke}</button>`)}
</li>`;
}

/** The second step before everything is revoked: a page of its own, because without script there is no question in between. */
export function revokeAllPage(facts: FormFacts & { readonly count: number }): HttpReply {
  const title = say.confirmTitle(facts.count);
  return page(
    200,
    title,
    html`<h1>${title}</h1>
<p>${say.confirm}</p>
<div class="actions">${form(facts, 'revoke-all', undefined, html`<button class="danger">${say.confirmYes}</button>`)}
<a class="button" href="${facts.page}">${say.confirmNo}</a></div>`,
    { 'set-cookie': facts.cookie },
  );
}

export interface SignInFacts {
  /** 403: somebody pressed a button after their session had ended. */
  readonly status: 200 | 403;
  readonly identityProviderName: string;
  readonly action: string;
  readonly token: string;
  readonly cookie: string;
}

export function signInPage(facts: SignInFacts): HttpReply {
  const { status, identityProviderName, cookie, token } = facts;
  return page(
    status,
    say.title,
    html`<h1>${say.title}</h1>
${status === 403 ? html`<p class="warn" role="alert">${say.signInExpired}</p>` : undefined}
<p>${say.signInPurpose}</p>
<div class="actions">${form({ ...facts, token: () => token }, 'sign-in', undefined, html`<button class="primary">${say.signIn(identityProviderName)}</button>`)}</div>
<p class="note">${say.signedOut(identityProviderName)}</p>`,
    { 'set-cookie': cookie },
  );
}

function form(
  facts: Pick<FormFacts, 'action' | 'token'>,
  action: string,
  grant: string | undefined,
  button: Html,
): Html {
  const token = facts.token(grant === undefined ? action : `${action} ${grant}`);
  return html`<form method="post" action="${facts.action}"><input type="hidden" name="action" value="${action}">
${grant === undefined ? undefined : html`<input type="hidden" name="grant" value="${grant}">`}
<input type="hidden" name="token" value="${token}">${button}</form>`;
}

function moment(seconds: number): Html {
  return html`<time datetime="${new Date(seconds * 1000).toISOString()}">${words.moment(seconds)}</time>`;
}

function pager({ page: path, pageNumber, pages }: ConnectionsFacts): Html | undefined {
  if (pages === 1) return undefined;
  const link = (number: number, text: string) =>
    number < 1 || number > pages
      ? undefined
      : html`<a class="button" href="${path}?page=${String(number)}">${text}</a>`;
  return html`<nav aria-label="${say.pages}">${link(pageNumber - 1, say.newer)}
<span>${say.page(pageNumber, pages)}</span> ${link(pageNumber + 1, say.older)}</nav>`;
}
