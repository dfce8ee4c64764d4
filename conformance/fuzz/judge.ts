/** What is wrong with an answer, whatever was asked: a fault, the wrong form, somewhere it sends people, something it tells. */
import type { Face, Fuzzed } from './requests.ts';
import type { Scene } from './scene.ts';
import type { Answer } from './wire.ts';

/** Gives what is wrong, or undefined. */
export type Judge = (fuzzed: Fuzzed, answer: Answer) => string | undefined;

export function judgeOf(scene: Scene, signInOrigin: string): Judge {
  const foreign = anyOf(scene.foreignSecrets);
  // Its own: never said back to it either, where logs of clients and screenshots would keep them.
  const own = anyOf([
    scene.spent.code,
    scene.spent.tokens.access_token,
    scene.spent.tokens.refresh_token,
    scene.kept.access_token,
    scene.kept.refresh_token,
    scene.verifier,
    scene.confidential.secret,
    scene.introspector.secret,
  ]);
  return ({ face, sent }, answer) => {
    const { status, headers, body } = answer;
    if (status >= 500) return 'a fault';
    if (headers.some(([name]) => name === 'x-injected')) return 'a header was injected';
    const said = headers.map((header) => header.join(': ')).join('\n');
    if (foreign(body) || foreign(said)) return 'a secret of somebody else';
    if (own(body) || own(said)) return 'a credential is said back';
    const location = answer.header('location');
    if (location !== undefined && !mayLeadTo(location, scene, signInOrigin)) return `leads to ${location}`;
    if (/^text\/html/.test(answer.header('content-type') ?? '')) {
      if (/<fuzz/i.test(body)) return 'markup was injected';
      // Nobody of that name ever registered: neither a link nor a consent may lead there.
      if (status === 200 ? body.includes('evil.example') : /href="[^"]*evil\.example/.test(body)) {
        return 'a page that leads to a stranger';
      }
      if (!isGuarded(answer)) return 'a page without its policy';
    }
    if (status < 400) return undefined;
    // RFC 6750 §3 at a resource; RFC 6749 §5.2 at the token endpoint, where the header was tried.
    const challenged =
      face === 'resource' || sent.headers.some(([name, text]) => name === 'authorization' && /^basic /i.test(text));
    if (status === 401 && challenged && answer.header('www-authenticate') === undefined)
      return '401 without a challenge';
    if (status === 405 && answer.header('allow') === undefined) return '405 without Allow';
    // No HTTP to Node's parser: answered in plain, and the connection is closed. So is an expectation nobody knows.
    if ([400, 431].includes(status) && body === '' && answer.header('connection') === 'close') return undefined;
    if (status === 417 && body === '' && sent.headers.some(([name]) => name === 'expect')) return undefined;
    if (!/\bno-store\b/.test(answer.header('cache-control') ?? '')) return 'a refusal that may be cached';
    return sent.method === 'HEAD' ? undefined : wrongForm(face, answer);
  };
}

function wrongForm(face: Face, answer: Answer): string | undefined {
  const html = /^text\/html/.test(answer.header('content-type') ?? '');
  if (html) return face === 'page' && /<h1/.test(answer.body) ? undefined : 'a page where JSON is expected';
  if (answer.header('content-type') !== 'application/json') return 'neither JSON nor a page';
  let value: unknown;
  try {
    value = JSON.parse(answer.body);
  } catch {
    return 'broken JSON';
  }
  const { error, error_description: description } = (value ?? {}) as Record<string, unknown>;
  if (typeof error !== 'string' || !/^[a-z_]+$/.test(error)) return 'no error code';
  // RFC 6749 §5.2: the characters that may stand in a description.
  if (typeof description !== 'string' || !/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/.test(description)) return 'no description';
  // What is wrong with the connection and not with the endpoint is said before the endpoint is known.
  const beforeTheRoom = /is repeated|does not answer to that Host|transfer coding/;
  return face === 'page' && !beforeTheRoom.test(description) ? 'JSON where a page is expected' : undefined;
}

function isGuarded(answer: Answer): boolean {
  const policy = answer.header('content-security-policy') ?? '';
  return (
    policy.includes("default-src 'none'") &&
    policy.includes("frame-ancestors 'none'") &&
    !/unsafe|script-src/.test(policy) &&
    answer.header('x-content-type-options') === 'nosniff'
  );
}

/** The client's own registered address, the identity provider, or our own page. */
function mayLeadTo(location: string, { issuer, redirectUri }: Scene, signInOrigin: string): boolean {
  if (!URL.canParse(location)) return false;
  const { origin, pathname, hostname, href } = new URL(location);
  const registered = new URL(redirectUri);
  // RFC 8252 §7.3: any port of the registered loopback address.
  if (hostname === registered.hostname && pathname === registered.pathname && href.startsWith('http://127.0.0.1:'))
    return true;
  if (origin === signInOrigin) return pathname === '/oauth2/authorize';
  return origin === issuer && pathname === '/connections';
}

/** Whether a text holds one of them. */
function anyOf(secrets: readonly string[]): (text: string) => boolean {
  if (secrets.some(({ length }) => length < 16)) throw new Error('too short to be looked for');
  return (text) => secrets.some((secret) => text.includes(secret));
}
