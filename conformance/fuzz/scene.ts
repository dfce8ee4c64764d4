/** What an attacker has in hand: own clients, own grants, an open consent page, a signed-in page; and a victim's, unseen. */
import { createHash, randomBytes } from 'node:crypto';
import { authorize, redeem, redirectUri, register, type Tokens } from '../harness/client.ts';
import { attacker, type FuzzedGateway, victim } from './gateway.ts';

/** Query of an authorization request, or fields of a form: names and values before they are encoded. */
export type Fields = Readonly<Record<string, string>>;

export interface Scene {
  readonly issuer: string;
  readonly resource: string;
  readonly clientId: string;
  readonly confidential: { readonly id: string; readonly secret: string };
  readonly introspector: { readonly id: string; readonly secret: string };
  readonly redirectUri: string;
  readonly verifier: string;
  /** Good ones, to be taken apart: the first is sent to /token and /revoke, the second only to guards. */
  readonly spent: { readonly clientId: string; readonly code: string; readonly tokens: Tokens };
  readonly kept: Tokens;
  readonly consent: { readonly fields: Fields; readonly cookie: string };
  readonly person: { readonly fields: Fields; readonly cookie: string };
  /** Of somebody else: in no request, and so in no answer. */
  readonly victim: { readonly clientId: string; readonly tokens: Tokens };
  readonly foreignSecrets: readonly string[];
}

export function authorizeFields(scene: Pick<Scene, 'clientId' | 'resource' | 'verifier'>): Fields {
  return {
    response_type: 'code',
    client_id: scene.clientId,
    redirect_uri: redirectUri,
    state: 'fuzz-state',
    scope: 'read write',
    resource: scene.resource,
    code_challenge: createHash('sha256').update(scene.verifier).digest('base64url'),
    code_challenge_method: 'S256',
  };
}

export async function setScene(gateway: FuzzedGateway): Promise<Scene> {
  const { issuer, signInOrigin } = gateway;
  const resource = `${issuer}/mcp`;
  const signedIn = async (person: typeof victim | typeof attacker) => {
    const authorized = await authorize(issuer, resource, signInOrigin, person);
    const response = await redeem(issuer, authorized);
    if (response.status !== 200) throw new Error(await response.text());
    return { ...authorized, tokens: (await response.json()) as Tokens };
  };
  const theirs = await signedIn(victim);
  const spent = await signedIn(attacker);
  const { tokens: kept } = await signedIn(attacker);
  const { client_id: clientId } = await register(issuer);
  const registered = await register(issuer, { token_endpoint_auth_method: 'client_secret_basic' });
  const verifier = randomBytes(32).toString('base64url');

  const reader = browser();
  const query = new URLSearchParams(authorizeFields({ clientId, resource, verifier }));
  const consentPage = await reader.open(`${issuer}/authorize?${query}`);
  return {
    issuer,
    resource,
    clientId,
    confidential: { id: registered.client_id, secret: registered.client_secret ?? '' },
    introspector: gateway.introspector,
    redirectUri,
    verifier,
    spent,
    kept,
    consent: { fields: { ...fieldsOf(consentPage), decision: 'allow' }, cookie: reader.cookie() },
    person: await signedInPage(issuer),
    victim: theirs,
    foreignSecrets: [
      theirs.tokens.access_token,
      theirs.tokens.refresh_token,
      theirs.code,
      theirs.verifier,
      ...gateway.operatorSecrets.filter((secret) => secret !== gateway.introspector.secret),
    ],
  };
}

/** The attacker's own page of connections, with a button to press. */
async function signedInPage(issuer: string): Promise<Scene['person']> {
  const person = browser();
  const landing = await person.open(`${issuer}/connections`);
  const login = await person.post(`${issuer}/connections/change`, fieldsOf(landing));
  const page = await person.post(login.url, { ...fieldsOf(login), ...attacker });
  const fields = fieldsOf(page);
  if (fields.action !== 'revoke') throw new Error(`no connections:\n${page.text}`);
  return { fields, cookie: person.cookie() };
}

interface Page {
  readonly url: string;
  readonly text: string;
}

/** Cookies and redirects, and no more; everything is on `localhost`, where ports share their cookies. */
function browser() {
  const cookies = new Map<string, string>();
  const cookie = () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const follow = async (start: string, first: RequestInit): Promise<Page> => {
    let [url, init] = [start, first];
    for (let step = 0; step < 10; step++) {
      const headers = { ...init.headers, cookie: cookie(), origin: new URL(url).origin };
      const response = await fetch(url, { ...init, headers, redirect: 'manual' });
      for (const line of response.headers.getSetCookie()) {
        const [pair = ''] = line.split(';', 1);
        cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
      }
      const text = await response.text();
      const location = response.headers.get('location');
      if (location === null) return { url, text };
      [url, init] = [new URL(location, url).href, {}];
    }
    throw new Error(`${start} leads in circles`);
  };
  return {
    cookie,
    open: (url: string) => follow(url, {}),
    post: (url: string, fields: Fields) => follow(url, { method: 'POST', body: new URLSearchParams(fields) }),
  };
}

/** The hidden fields of a page's first form. */
function fieldsOf({ text }: Page): Record<string, string> {
  const form = /<form[\s\S]*?<\/form>/.exec(text)?.[0] ?? '';
  const inputs = [...form.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([input]) => input);
  return Object.fromEntries(
    inputs.map((input) => [/name="([^"]*)"/.exec(input)?.[1] ?? '', /value="([^"]*)"/.exec(input)?.[1] ?? '']),
  );
}
