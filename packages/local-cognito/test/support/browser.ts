/** As much of a browser as the login pages need: cookies, forms, and redirects followed one at a time. */
import { expect } from 'vitest';

export interface PageView {
  readonly status: number;
  readonly url: string;
  readonly html: string;
  readonly headers: Headers;
  /** Where a redirect leads; empty when there is none. */
  readonly location: string;
}

export interface Browser {
  get(url: string): Promise<PageView>;
  post(url: string, fields: Record<string, string>): Promise<PageView>;
  /** Fills in the page's form with that action and submits it, hidden fields included. */
  submit(page: PageView, fields: Record<string, string>, formIndex?: number): Promise<PageView>;
  /** Follows redirects while they stay on `origin`. */
  follow(page: PageView): Promise<PageView>;
  readonly cookies: Map<string, string>;
}

export function createBrowser(origin: string): Browser {
  const cookies = new Map<string, string>();

  async function send(url: string, init: RequestInit): Promise<PageView> {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { ...init.headers, cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/Max-Age=0/.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
    const html = await response.text();
    const { status, headers } = response;
    return { status, url, html, headers, location: headers.get('location') ?? '' };
  }
  const get = (url: string) => send(url, {});
  const post = (url: string, fields: Record<string, string>) =>
    send(url, { method: 'POST', body: new URLSearchParams(fields) });

  return {
    cookies,
    get,
    post,
    async submit(page, fields, formIndex = 0) {
      const form = [...page.html.matchAll(/<form method="post" action="([^"]*)">([\s\S]*?)<\/form>/g)][formIndex];
      expect(form, `no form in ${page.html}`).toBeDefined();
      const [, action = '', inner = ''] = form ?? [];
      const hidden = [...inner.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
      const present = Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, unescapeHtml(value)]));
      return post(new URL(unescapeHtml(action), page.url).href, { ...present, ...fields });
    },
    async follow(page) {
      let view = page;
      while (view.location.startsWith(origin)) view = await get(view.location);
      return view;
    },
  };
}

export function unescapeHtml(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
