/** The consent page: what it says, what it escapes, and what no browser may do with it (SEC-12, AS-25, AS-26). */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GatehouseOptions } from '../../src/gatehouse.ts';
import { authorizePath, hidden, pkce, registerClient, request, resource, startHarness } from '../harness.ts';

/** The page for a client with this metadata. */
async function pageFor(
  metadata: Readonly<Record<string, unknown>> = {},
  changes: Readonly<Record<string, string | undefined>> = {},
  options: Partial<GatehouseOptions> = {},
) {
  const harness = startHarness(options);
  const client = await registerClient(harness, metadata);
  const reply = await harness.server.handle(request(authorizePath(client.client_id, pkce().challenge, changes)));
  if (reply?.status !== 200) throw new Error(`no page: ${reply?.body}`);
  return reply;
}
const web = { redirect_uris: ['https://app.example:8443/cb'] };
const toWeb = { redirect_uri: 'https://app.example:8443/cb' };
/** The text a person reads. */
const textOf = (html: string) =>
  html
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .replace(/<[^>]*>/g, '')
    .replace(/\s+/g, ' ');

describe('what it says', () => {
  it('who wants what, where the answer goes, and who asks for the password', async () => {
    const text = textOf((await pageFor({ ...web, client_name: 'Notes' }, toWeb)).body);
    expect(text).toContain('Notes wants to use Example tools');
    expect(text).toContain('read your things');
    expect(text).toContain('change your things');
    expect(text).toContain('app.example:8443');
    expect(text).toContain(resource);
    expect(text).toContain('sign in with Example Login');
    expect(text).toContain('The application chose its name itself; nobody has checked it.');
    expect(text).toContain('only if you came here from app.example:8443 yourself');
    expect(text).not.toContain('this computer');
  });

  it('only what was asked for', async () => {
    const { body } = await pageFor({}, { scope: 'write' });
    expect(body).toContain('change your things');
    expect(body).not.toContain('read your things');
  });

  it.each(['http://localhost/cb', 'http://127.0.0.1/cb', 'http://[::1]/cb'])('warns of %s', async (uri) => {
    const { body } = await pageFor({ redirect_uris: [uri] }, { redirect_uri: uri });
    expect(body).toMatch(/a program on <strong>this computer<\/strong>/);
  });

  it('the port that is used now', async () => {
    const uris = { redirect_uris: ['http://127.0.0.1/cb'] };
    expect(textOf((await pageFor(uris, { redirect_uri: 'http://127.0.0.1:50123/cb' })).body)).toContain(
      '127.0.0.1:50123',
    );
  });

  it('the application’s own scheme', async () => {
    const uri = 'cursor://anysphere.cursor-mcp/oauth/callback';
    const { body } = await pageFor({ redirect_uris: [uri] }, { redirect_uri: uri });
    expect(textOf(body)).toContain('cursor://anysphere.cursor-mcp');
  });

  it('a client without a name is an application', async () => {
    expect(textOf((await pageFor({ client_name: undefined })).body)).toContain('An application wants to use');
  });

  it('a resource without a name is its host', async () => {
    const options = { resources: [{ uri: resource, scopes: { read: 'read' } }] };
    expect(textOf((await pageFor({}, {}, options)).body)).toContain('wants to use auth.example');
  });
});

describe('names of strangers', () => {
  it.each([
    ['markup', '<img src=x onerror=alert(1)>', '&#60;img src=x onerror=alert(1)&#62;'],
    ['the end of an element', '</title></style></main><script>alert(1)</script>', '&#60;/title&#62;'],
    ['quotes', `a" onclick="x' y`, 'a&#34; onclick=&#34;x&#39; y'],
    ['an entity', '&lt;b&gt; &amp;', '&#38;lt;b&#38;gt; &#38;amp;'],
    ['a right-to-left override', 'evil\u202Egpj.exe', 'evil gpj.exe'],
    ['isolates', 'a\u2066b\u2069c', 'a b c'],
    ['Arabic letter mark', 'a\u061Cb', 'a b'],
    ['zero-width space', 'Clau\u200Bde', 'Clau de'],
    ['zero-width joiners', 'Clau\u200C\u200Dde', 'Clau de'],
    ['a byte order mark', '\uFEFFClaude', 'Claude'],
    ['a soft hyphen', 'Clau\u00ADde', 'Clau de'],
    ['tags', 'Claude\u{E0041}\u{E0042}', 'Claude'],
    ['a private-use character', 'Apple \uF8FF', 'Apple'],
    ['control characters', 'a\u0000\u0007\u001b[31mb', 'a [31mb'],
    ['line breaks', 'Claude\r\n\u2028\u2029wants nothing', 'Claude wants nothing'],
    ['wide spaces', 'Claude\u3000\u00a0\u2003x', 'Claude x'],
    ['Hangul fillers', '\u3164\u115f\uffa0Claude', 'Claude'],
  ])('%s', async (_, name, shown) => {
    const { body } = await pageFor({ client_name: name });
    expect(body).toContain(`<bdi>${shown}`);
    expect(body).not.toContain('<img');
    expect(body).not.toContain('<script');
  });

  it.each([
    ...[' ', '\u200b\u200b', '\u202e', '\u3164\u3164', '\u{E0041}', '\u2800\u2800', '\u034f', '\u17b4\u17b5'],
    ...['\ufe0f', '\u180b', '\u{e0100}'],
  ])('%j is no name', async (name) => {
    expect(textOf((await pageFor({ client_name: name })).body)).toContain('An application wants to use');
  });

  it('are cut to 80 characters, not through the middle of one', async () => {
    const { body } = await pageFor({ client_name: '📚'.repeat(100) });
    expect(body).toContain(`<bdi>${'📚'.repeat(79)}…</bdi>`);
  });

  it('stand apart from our own text, in an element that isolates their direction', async () => {
    const { body } = await pageFor({ client_name: 'שלום' });
    expect(body).toContain('<bdi>שלום</bdi>');
    expect(body.replaceAll('<bdi>שלום</bdi>', '')).not.toContain('שלום');
  });

  it('whatever they are, the page has the same elements', async () => {
    const elements = (html: string) => html.match(/<\/?[a-z][a-z0-9]*/g);
    const harness = startHarness();
    const page = async (name: string) => {
      const { client_id: id } = await registerClient(harness, { client_name: name });
      return (await harness.server.handle(request(authorizePath(id, pkce().challenge))))?.body ?? '';
    };
    const plain = elements(await page('plain'));
    const hostile = fc.string({
      unit: fc.constantFrom(...'<>"\'&/=` \u0000\u202e\u200ba', '</bdi>', '<script>', '-->'),
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(hostile, async (name) => {
        const body = await page(name);
        expect(elements(body)).toEqual(plain);
        // Shown is no character that is invisible or turns the direction of what follows.
        expect(body).not.toMatch(
          /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/,
        );
      }),
      { numRuns: 300 },
    );
  });

  it('the operator’s own words are escaped too', async () => {
    const options = {
      resources: [{ uri: resource, name: 'A & <B>', scopes: { read: 'see <everything> & "more"' } }],
    };
    const { body } = await pageFor({}, {}, options);
    expect(body).toContain('A &#38; &#60;B&#62;');
    expect(body).toContain('see &#60;everything&#62; &#38; &#34;more&#34;');
  });
});

describe('what browsers may do with it', () => {
  it('nothing but show it here and now', async () => {
    const { headers, body } = await pageFor();
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
    });
    const policy = String(headers['content-security-policy']).split('; ');
    const style = /<style>([\s\S]*?)<\/style>/.exec(body)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    // Without form-action: Chrome would apply it to the redirects after the form, which lead to the client.
    expect(policy).toEqual([
      "default-src 'none'",
      `style-src 'sha256-${hash}'`,
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ]);
  });

  it('no script, no attribute that runs one, nothing from elsewhere', async () => {
    const { body } = await pageFor(web, toWeb);
    expect(body).not.toMatch(
      /<script|\son[a-z]+=|javascript:|<iframe|<object|<img|<link|<base|\sstyle=|\ssrc=|url\(|@import/i,
    );
    expect(body).toMatch(/^<!doctype html>\n<html lang="en">/);
  });

  it('one form, to our own path, by POST', async () => {
    const { body } = await pageFor();
    expect(body.match(/<form [^>]*>/g)).toEqual(['<form method="post" action="/consent">']);
    expect(body.match(/name="decision" value="(\w+)"/g)).toEqual([
      'name="decision" value="allow"',
      'name="decision" value="deny"',
    ]);
    expect(body).not.toMatch(/autofocus/);
  });

  it('the cookie is for this host alone, unseen by scripts, and gone when its form is', async () => {
    const { headers } = await pageFor();
    expect(headers['set-cookie']).toMatch(
      /^__Host-gatehouse-[0-9a-f]{8}=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=2400; Secure$/,
    );
  });

  it('on a laptop without TLS the cookie goes without the prefix', async () => {
    const { headers } = await pageFor({}, {}, { issuer: 'http://localhost:9000' });
    expect(headers['set-cookie']).toMatch(
      /^gatehouse-[0-9a-f]{8}=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=2400$/,
    );
  });
});

describe('the form', () => {
  it('does not say the cookie’s value, and differs by browser', async () => {
    const harness = startHarness();
    const client = await registerClient(harness);
    const path = authorizePath(client.client_id, pkce().challenge);
    const [one, other] = [harness.browser(), harness.browser()];
    const forms = [
      hidden(await one.send(request(path)), 'request'),
      hidden(await other.send(request(path)), 'request'),
    ];
    expect(forms[0]).not.toBe(forms[1]);
    const [value = ''] = one.cookies.values();
    const payload = Buffer.from(forms[0]?.split('.')[1] ?? '', 'base64url').toString();
    expect(payload).toContain('"redirectUri"');
    expect(payload).not.toContain(value);
    expect(forms[0]).not.toContain(value);
  });

  it('a browser keeps its cookie, and one with a made-up cookie gets a new one', async () => {
    const harness = startHarness();
    const client = await registerClient(harness);
    const path = authorizePath(client.client_id, pkce().challenge);
    const set = async (cookie: string) => {
      const reply = await harness.server.handle(request(path, { headers: { cookie } }));
      return /=([^;]*)/.exec(String(reply?.headers['set-cookie']))?.[1];
    };
    const value = 'A'.repeat(43);
    expect(await set(`a=b; __Host-gatehouse-0123abcd=${value}; c=d`)).toBe(value);
    for (const cookie of [
      '__Host-gatehouse-0123abcd=short',
      `__Host-gatehouse-0123abcd=${value}!`,
      `gatehouse-0123abcd=${value}`,
      `x__Host-gatehouse-0123abcd=${value}`,
    ]) {
      expect(await set(cookie)).not.toBe(value);
    }
  });
});
