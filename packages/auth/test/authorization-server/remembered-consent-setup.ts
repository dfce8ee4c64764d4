/** People, browsers and proven clients for the tests of remembered consent. */
import {
  type GatehouseOptions,
  type HttpReply,
  type HttpRequest,
  isReply,
  type KnownClient,
} from '../../src/gatehouse.ts';
import {
  authorizePath,
  form,
  type Harness,
  hidden,
  parsed,
  pkce,
  request,
  resource,
  sameOrigin,
  startHarness,
} from '../harness.ts';

export const site = 'https://notes.example';
export const place = `${site}/callback`;
export const otherResource = 'https://auth.example/other';
const secret = 'a-secret-of-the-client-of-32-bytes-or-more';

export const notes = {
  id: 'notes',
  name: 'Notes',
  secret,
  redirectUris: [place, `${site}/other`, 'https://elsewhere.example/callback', 'http://127.0.0.1/callback'],
} satisfies KnownClient;
/** Configured alike, and at the same place, so that nothing but its id tells it apart. */
export const mail = { ...notes, id: 'mail', name: 'Mail' } satisfies KnownClient;

/** What a browser sends when the client's own page leads it here. */
export const fromSite = {
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'cross-site',
  referer: `${site}/`,
} as const;

export const options: Partial<GatehouseOptions> = {
  clients: [notes, mail],
  resources: [
    { uri: resource, scopes: { read: 'read your things', write: 'change your things' } },
    { uri: otherResource, scopes: { read: 'read other things' } },
  ],
};

export type Person = ReturnType<Harness['browser']>;
export type Changes = Readonly<Record<string, string | undefined>>;
export type Sent = HttpRequest['headers'];

const { verifier, challenge } = pkce();

export function remembering(more: Partial<GatehouseOptions> = {}) {
  const harness = startHarness({ ...options, ...more });
  return { harness, ...inside(harness) };
}

/** What people do at this instance. */
export function inside(harness: Harness) {
  /** A client sends this browser here. */
  const ask = (person: Person, changes: Changes = {}, headers: Sent = fromSite) => {
    const path = authorizePath(changes.client_id ?? 'notes', challenge, { redirect_uri: place, ...changes });
    return person.send(request(path, { headers }));
  };
  /** The person answers the page. */
  const answer = (person: Person, page: HttpReply, fields: Changes = { remember: 'yes' }) =>
    person.send(form('/consent', { request: hidden(page, 'request'), decision: 'allow', ...fields }, sameOrigin));
  /** The identity provider sends the browser back. */
  const signIn = (person: Person, sent: HttpReply) => {
    const state = new URL(String(sent.headers.location)).searchParams.get('state');
    return person.send(request(`/callback?code=idp-code&state=${state}`));
  };
  /** The client redeems what came back. */
  const redeem = async (back: HttpReply, clientId = 'notes') => {
    const url = new URL(String(back.headers.location));
    const reply = await harness.server.handle(
      form('/token', {
        grant_type: 'authorization_code',
        client_id: clientId,
        client_secret: secret,
        code: url.searchParams.get('code') ?? '',
        code_verifier: verifier,
      }),
    );
    return parsed(reply);
  };
  /** From the page, with the box ticked, to the tokens. */
  const remember = async (person: Person, changes: Changes = {}) => {
    const sent = await answer(person, await ask(person, changes));
    const back = await signIn(person, sent);
    return { back, tokens: await redeem(back, changes.client_id) };
  };
  const revoke = (token: unknown) =>
    harness.server.handle(form('/revoke', { client_id: 'notes', client_secret: secret, token: String(token) }));
  const kept = async () => (await harness.records.list('rememberedConsent')).items;
  return { ask, answer, signIn, redeem, remember, revoke, kept };
}

export type World = ReturnType<typeof remembering>;

/** How a request was answered: with the page, or on to the identity provider. */
export function outcome(reply: HttpReply): 'asked' | 'unasked' | string {
  if (reply.status === 200 && hidden(reply, 'request') !== '') return 'asked';
  const location = String(reply.headers.location);
  return reply.status === 303 && location.startsWith('https://idp.example/authorize?') ? 'unasked' : location;
}

export function codeOf(reply: HttpReply): string | null {
  return new URL(String(reply.headers.location)).searchParams.get('code');
}

/** The scope of an access token, as the guard reads it. */
export async function scopeOf({ server }: Harness, tokens: Readonly<Record<string, unknown>>): Promise<unknown> {
  const token = await server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
  if (isReply(token)) throw new Error(token.body);
  return token.scope;
}
