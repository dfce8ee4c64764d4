/** URLs that identify us to clients, who compare them byte for byte (RFC 8414 §3.3, RFC 9728 §3.3): only the normal form will do. */
import { isLoopbackHost } from './redirect-uri.ts';

/** Why a URL cannot be an issuer or a resource, each as the end of a sentence; empty: it can. */
export function publicUrlFaults(text: string): readonly string[] {
  if (!URL.canParse(text)) return ['is not an absolute URL'];
  const url = new URL(text);
  const faults: string[] = [];
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopbackHost(url.hostname))) {
    faults.push('must be https (plain http is for localhost)');
  }
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    faults.push('must have no query, fragment or user');
  }
  if (text.endsWith('/')) faults.push('must not end with a slash');
  const normal = (url.origin + url.pathname).replace(/\/$/, '');
  if (faults.length === 0 && normal !== text) faults.push(`must be written as ${normal}`);
  return faults;
}
