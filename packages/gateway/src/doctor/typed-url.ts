/** What a person types as an MCP server's URL: kept as it is, because clients compare bytes (RFC 9728 §3.3). Pure. */
import { isLoopbackHost } from '../loopback.ts';
import type { TypedUrl } from './facts.ts';

const maxLength = 2048;

/** A string: what is wrong with it. */
export function readTypedUrl(text: string): TypedUrl | string {
  const typed = text.trim();
  if (typed === '') return 'The URL is empty.';
  if (typed.length > maxLength) return `A URL may have ${maxLength} characters.`;
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(typed);
  const whole = hasScheme ? typed : `${schemeFor(typed)}://${typed}`;
  if (!URL.canParse(whole)) return `${JSON.stringify(typed)} is no URL: type one such as https://mcp.example.com/mcp.`;
  const { protocol, username, password, hash } = new URL(whole);
  if (protocol !== 'https:' && protocol !== 'http:') {
    return `The doctor examines MCP servers over HTTP: a URL begins with https://, not ${protocol}//.`;
  }
  const userinfo = username !== '' || password !== '';
  const fragment = hash !== '' || whole.endsWith('#');
  // Cut out of the text and not taken from the parsed URL, which would add slashes and lower letters.
  const bare = whole.replace(/#.*$/s, '').replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
  return { url: bare, schemeAdded: !hasScheme, userinfo, fragment };
}

/** What everybody means by it: nobody has a certificate for localhost. */
function schemeFor(typed: string): 'http' | 'https' {
  return isLoopbackHost(/^(\[[^\]]*\]|[^:/?#]*)/.exec(typed)?.[1] ?? '') ? 'http' : 'https';
}
