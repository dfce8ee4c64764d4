/** The page at `/`: says to a person with a browser what `serve` says to one with a terminal. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendReply } from '@mcp-gatehouse/auth';
import { html, page } from '@mcp-gatehouse/auth/page';
import { connectLines, type ServedServer } from './connect.ts';

export interface FrontPageFacts {
  readonly servers: readonly ServedServer[];
  /** Path of the page where a person sees and ends what they allowed. */
  readonly connections: string;
  /** Only with a local sign-in. */
  readonly demo?: { readonly username: string; readonly password: string };
}

export function frontPage({
  servers,
  connections,
  demo,
}: FrontPageFacts): (req: IncomingMessage, res: ServerResponse) => void {
  const sections = servers.map(({ name, id, url, transport }) => {
    const lines = connectLines(id, url, transport).map(
      ({ client, where, text }) =>
        html`<h3>${client} <small>${where}</small></h3><pre tabindex="0"><code>${text}</code></pre>`,
    );
    return html`<section><h2>${name}</h2><p>The address for any MCP client:</p><pre tabindex="0"><code>${url}</code></pre>${lines}</section>`;
  });
  const reply = page(
    200,
    'Gatehouse',
    html`<h1>Gatehouse is running</h1>
<p>It stands in front of ${servers.length === 1 ? 'an MCP server' : `${servers.length} MCP servers`} and lets nobody in who has
not signed in and agreed. Connect a client with one of the lines below; it will open a sign-in page in this browser.
What you allowed, you see and end at <a href="${connections}">your connections</a>.</p>
${
  demo &&
  html`<p class="warn">Sign-in is local to this computer. Use the demo user <strong>${demo.username}</strong> with the password
<strong><code>${demo.password}</code></strong>, or sign up there; the confirmation code appears in the log.</p>`
}
${sections}`,
  );
  return (req, res) => sendReply(req, res, reply);
}
