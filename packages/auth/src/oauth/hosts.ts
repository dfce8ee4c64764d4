/** The host a request was sent to, against the host of a URI: what one process needs that serves several (RFC 9110 §7.2). Pure. */

/** Host and port of a URI as comparable text; the default ports of http and https are none. */
export function hostOf(uri: string): string {
  return comparableHost(new URL(uri).host);
}

/**
 * A Host header in the form `hostOf` gives. Case and a default port are all that is forgiven: with TLS ended before us
 * nobody knows here which scheme it was, so either port is taken for none.
 */
export function comparableHost(header: string): string {
  return header.toLowerCase().replace(/:(?:80|443)$/, '');
}
