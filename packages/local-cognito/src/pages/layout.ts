/** The frame of every managed login page, and the headers that go with it. */
import { createHash } from 'node:crypto';
import type { HttpReply } from '../http/message.ts';
import { Html, html } from './html.ts';
import { STYLE } from './style.ts';

/**
 * No script, nothing fetched, never framed. There is no `form-action`: browsers apply it to the redirect after a form
 * too, which here leads to whichever callback the app registered, and from there onwards.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-type': 'text/html;charset=UTF-8',
  'cache-control': 'no-store',
  pragma: 'no-cache',
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
};

export interface Page {
  readonly poolId: string;
  readonly title: string;
  readonly body: Html;
  /** Whether the page reports a problem: said first, where a screen reader starts. */
  readonly failed?: boolean;
}

export function pageReply(status: number, page: Page, cookies: readonly string[] = []): HttpReply {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${page.failed ? 'Error: ' : ''}${page.title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
${page.body}
</main>
<footer>Local user pool <code>${page.poolId}</code>, for development. Its accounts exist on this machine only: do not
enter a password you use anywhere else.</footer>
</body>
</html>
`;
  return {
    status,
    headers: cookies.length > 0 ? { ...HEADERS, 'set-cookie': cookies } : HEADERS,
    body: document.text,
  };
}
