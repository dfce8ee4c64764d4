/** A person with a browser, as plain HTTP: opens an address, says yes on the consent page, signs in, ends at the client. */

export interface PersonOptions {
  readonly username?: string;
  readonly password?: string;
  readonly decision?: 'allow' | 'deny';
  /** Has no account yet and makes one; `confirmation` finds the code, which the local sign-in writes to its log. */
  readonly signUp?: { readonly email: string; readonly confirmation: () => Promise<string> };
}

export interface Journey {
  /** Where the client is told the outcome: its redirect URI with `code` or `error`. Not fetched. */
  readonly callback: URL;
  /** Every page that was shown, in order. */
  readonly pages: readonly string[];
  /** Every secret value this browser saw or sent: cookies, hidden fields, codes and states on the way. For log scans. */
  readonly secrets: readonly string[];
}

interface Form {
  readonly action: string;
  readonly fields: Record<string, string>;
}

/** Follows redirects and forms from the authorize URL until an address outside `origins` is reached. */
export async function walkThrough(
  authorizeUrl: string,
  origins: readonly string[],
  options: PersonOptions = {},
): Promise<Journey> {
  const { username = 'demo', password = 'Gatehouse-Demo-1', decision = 'allow', signUp } = options;
  const jar = new Map<string, Map<string, string>>();
  const pages: string[] = [];
  const secrets = new Set<string>();
  let url = new URL(authorizeUrl);
  let request: RequestInit = {};
  for (let step = 0; step < 20; step++) {
    // Cookies belong to a host name; on one computer all ports share them, as in a real browser.
    const cookies = jar.get(url.hostname) ?? new Map<string, string>();
    jar.set(url.hostname, cookies);
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = new Headers(request.headers);
    if (cookie) headers.set('cookie', cookie);
    const response = await fetch(url, { ...request, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const at = pair.indexOf('=');
      const value = pair.slice(at + 1);
      if (value === '') cookies.delete(pair.slice(0, at));
      else cookies.set(pair.slice(0, at), value);
      if (value.length >= 16) secrets.add(value);
    }
    const location = response.headers.get('location');
    if (location !== null && response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      const next = new URL(location, url);
      for (const name of ['code', 'state']) {
        const value = next.searchParams.get(name) ?? '';
        if (value.length >= 16) secrets.add(value);
      }
      if (!origins.includes(next.origin)) return { callback: next, pages, secrets: [...secrets] };
      [url, request] = [next, {}];
      continue;
    }
    const page = await response.text();
    pages.push(page);
    const form = formOf(page);
    if (response.status >= 400 || !form) throw new Error(`stuck at ${url.pathname} (${response.status}):\n${page}`);
    for (const value of Object.values(form.fields)) if (value.length >= 16) secrets.add(value);
    const { origin } = url;
    url = new URL(form.action, url);
    const newAccount = signUp && /<a href="(\/signup\?[^"]*)"/.exec(page)?.[1];
    if (newAccount && url.pathname === '/login') {
      [url, request] = [new URL(unescaped(newAccount), url), {}];
      continue;
    }
    const answer: Record<string, string> =
      'request' in form.fields
        ? { decision }
        : signUp && url.pathname === '/confirmUser'
          ? { username, code: await signUp.confirmation() }
          : { username, password, ...(signUp && { email: signUp.email }) };
    request = {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin, 'sec-fetch-site': 'same-origin' },
      body: new URLSearchParams({ ...form.fields, ...answer }).toString(),
    };
  }
  throw new Error('the journey does not end');
}

/** The first form of a page: where it goes and its hidden fields. */
function formOf(page: string): Form | undefined {
  const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(page);
  if (!form) return undefined;
  const fields: Record<string, string> = {};
  for (const [input] of (form[2] ?? '').matchAll(/<input\b[^>]*>/gi)) {
    const name = attribute(input, 'name');
    if (name !== undefined && attribute(input, 'type') === 'hidden') fields[name] = attribute(input, 'value') ?? '';
  }
  return { action: attribute(form[1] ?? '', 'action') ?? '', fields };
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}\\s*=\\s*"([^"]*)"`, 'i').exec(tag)?.[1];
  return value === undefined ? undefined : unescaped(value);
}

function unescaped(text: string): string {
  return text
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replaceAll('&quot;', '"')
    .replaceAll('&#x27;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
