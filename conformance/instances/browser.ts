/** A browser with cookies and forms, no more, for pages that a person comes back to. */

export interface Browser {
  /** The page, after all redirects. */
  open(path: string): Promise<string>;
  /** Sends the form of the page whose `action` field has this value; gives the page behind it. */
  submit(page: string, action: string): Promise<string>;
}

export function startBrowser(issuer: string, signInOrigin: string): Browser {
  const cookies = new Map<string, string>();
  const { origin } = new URL(issuer);

  async function go(first: URL, init: RequestInit = {}): Promise<string> {
    let [url, request] = [first, init];
    for (let step = 0; step < 10; step++) {
      if (url.origin !== origin && url.origin !== signInOrigin) throw new Error(`led astray to ${url.origin}`);
      const headers = new Headers(request.headers);
      if (url.origin === origin) headers.set('cookie', [...cookies].map((pair) => pair.join('=')).join('; '));
      const response = await fetch(url, { ...request, headers, redirect: 'manual' });
      for (const line of response.headers.getSetCookie()) {
        const [pair = ''] = line.split(';');
        cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
      }
      const location = response.headers.get('location');
      const page = await response.text();
      if (location === null) {
        if (response.status !== 200) throw new Error(`${url.pathname} answered ${response.status}: ${page}`);
        return page;
      }
      [url, request] = [new URL(location, url), {}];
    }
    throw new Error('the redirects do not end');
  }

  return {
    open: (path) => go(new URL(path, issuer)),
    submit(page, action) {
      const forms = [...page.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, head = '', inside = '']) => ({
        to: /action="([^"]*)"/.exec(head)?.[1] ?? '',
        fields: [...inside.matchAll(/<(?:input|button)\b[^>]*name="([^"]+)"[^>]*value="([^"]*)"/g)].map(
          ([, name = '', value = '']) => [name, value] as [string, string],
        ),
      }));
      const form = forms.find(({ fields }) => fields.some(([name, value]) => name === 'action' && value === action));
      if (!form) throw new Error(`no form ${action} on the page: ${page}`);
      return go(new URL(form.to, issuer), {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin, 'sec-fetch-site': 'same-origin' },
        body: new URLSearchParams(form.fields).toString(),
      });
    },
  };
}
