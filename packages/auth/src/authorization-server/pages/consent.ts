/** The consent page: which client wants what, where the answer goes, and who will ask for the password. */
import type { HttpReply } from '../../oauth/http.ts';
import { isLoopbackRedirect, redirectDisplay } from '../../oauth/redirect-uri.ts';
import type { Resource } from '../../oauth/resource.ts';
import type { Client } from '../clients/client.ts';
import { html, page, strangersText } from './page.ts';

export interface ConsentFacts {
  readonly client: Client;
  readonly redirectUri: string;
  readonly resource: Resource;
  readonly scope: readonly string[];
  readonly identityProviderName: string;
  /** The signed request, which comes back with the answer. */
  readonly form: string;
  /** Path that the answer is posted to. */
  readonly action: string;
  readonly cookie: string;
}

export function consentPage(facts: ConsentFacts): HttpReply {
  const { client, redirectUri, resource, scope } = facts;
  const claimed = strangersText(client.name ?? '');
  const name = claimed === '' ? 'An application' : claimed;
  const resourceName = resource.name ?? new URL(resource.uri).host;
  const local = isLoopbackRedirect(redirectUri);
  const powers = scope.map((token) => html`<li>${resource.scopes[token] ?? token}</li>`);
  return page(
    200,
    `Allow access to ${resourceName}?`,
    html`<h1><bdi>${name}</bdi> wants to use ${resourceName}</h1>
${powers.length > 0 ? html`<p>It will be able to</p><ul>${powers}</ul>` : undefined}
<dl>
<div><dt>Answer goes to</dt><dd>${redirectDisplay(redirectUri)}</dd></div>
<div><dt>Resource</dt><dd>${resource.uri}</dd></div>
</dl>
${client.proven ? undefined : html`<p class="note">The application chose its name itself; nobody has checked it.</p>`}
${
  local
    ? html`<p class="warn">The answer goes to a program on <strong>this computer</strong>. Allow it only if you started it yourself just now.</p>`
    : html`<p class="warn">Allow this only if you came here from <strong>${redirectDisplay(redirectUri)}</strong> yourself.</p>`
}
<form method="post" action="${facts.action}">
<input type="hidden" name="request" value="${facts.form}">
<div class="actions"><button class="primary" name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Deny</button></div>
</form>
<p class="note">Next you sign in with ${facts.identityProviderName}. The application never sees your password.</p>`,
    { 'set-cookie': facts.cookie },
  );
}
