/** The consent page: which client wants what, where the answer goes, and who will ask for the password. */
import type { HttpReply } from '../../oauth/http.ts';
import { isLoopbackRedirect, redirectDisplay } from '../../oauth/redirect-uri.ts';
import type { Resource } from '../../oauth/resource.ts';
import type { Client, ClientLogo } from '../clients/client.ts';
import { type Html, html, strangersText } from './html.ts';
import { page } from './page.ts';
import { words } from './words.ts';

export interface ConsentFacts {
  readonly client: Client;
  /** Whether somebody vouches for this client at this redirect URI. */
  readonly proven: boolean;
  readonly logo?: ClientLogo | undefined;
  readonly redirectUri: string;
  readonly resource: Resource;
  readonly scope: readonly string[];
  readonly identityProviderName: string;
  /** The signed request, which comes back with the answer. */
  readonly form: string;
  /** For how many days the consent can be remembered; left out: it cannot be, and the page does not offer it. */
  readonly rememberDays?: number | undefined;
  /** Path that the answer is posted to. */
  readonly action: string;
  readonly cookie: string;
}

export function consentPage(facts: ConsentFacts): HttpReply {
  const { client, proven, redirectUri, resource, scope } = facts;
  const say = words.consent;
  const claimed = strangersText(client.name ?? '');
  const name = claimed === '' ? words.unnamedApplication : claimed;
  const resourceName = resource.name ?? new URL(resource.uri).host;
  const powers = scope.map((token) => html`<li>${resource.scopes[token] ?? token}</li>`);
  const logo = proven ? picture(facts.logo) : undefined;
  return page(
    200,
    say.title(resourceName),
    html`${logo}<h1>${say.heading(html`<bdi>${name}</bdi>`, resourceName)}</h1>
${powers.length > 0 ? html`<p>${say.powers}</p><ul>${powers}</ul>` : undefined}
<dl>
<div><dt>${say.answerGoesTo}</dt><dd>${redirectDisplay(redirectUri)}</dd></div>
<div><dt>${say.resource}</dt><dd>${resource.uri}</dd></div>
</dl>
${standing(client, proven)}
<p class="warn">${isLoopbackRedirect(redirectUri) ? say.onThisComputer : say.elsewhere(redirectDisplay(redirectUri))}</p>
<form method="post" action="${facts.action}">
<input type="hidden" name="request" value="${facts.form}">
${remembering(facts)}<div class="actions"><button class="primary" name="decision" value="allow">${say.allow}</button>
<button name="decision" value="deny">${say.deny}</button></div>
</form>
<p class="note">${say.next(facts.identityProviderName)}</p>`,
    { 'set-cookie': facts.cookie },
    { dataImages: logo !== undefined },
  );
}

/** Who vouches for the name. A metadata document stands at its client's own id (CIMD), so its host is who published it. */
function standing({ source, id }: Client, proven: boolean): Html {
  if (!proven) return html`<p class="note">${words.consent.unchecked}</p>`;
  const host = source === 'metadata-document' && URL.canParse(id) ? new URL(id).host : undefined;
  return html`<p class="good">${host === undefined ? words.consent.knownHere : words.consent.publishedBy(host)}</p>`;
}

/** Not ticked: that nobody is asked again is the person's own decision, and never what happens when they read nothing. */
function remembering({ proven, rememberDays }: ConsentFacts): Html | undefined {
  if (!proven || rememberDays === undefined) return undefined;
  return html`<p class="choice"><label><input type="checkbox" name="remember" value="yes"> ${words.consent.remember(rememberDays)}</label></p>
`;
}

/** Only of a client that somebody vouches for: a logo is believed sooner than a name. Never SVG, which is a program. */
function picture(logo: ClientLogo | undefined): Html | undefined {
  if (!logo || !/^image\/(png|jpeg|gif|webp)$/.test(logo.type) || !/^[A-Za-z0-9+/]+={0,2}$/.test(logo.base64)) {
    return undefined;
  }
  return html`<img class="logo" alt="" width="48" height="48" src="data:${logo.type};base64,${logo.base64}">`;
}
