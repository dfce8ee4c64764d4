/** Why a document could not be fetched: for the log only, because it tells a stranger about our network (SEC-13). */

export type SafeFetchReason =
  | 'fetch.url' // not https, or with userinfo or fragment
  | 'fetch.special_use' // resolves to an address that is not public
  | 'fetch.no_address'
  | 'fetch.unreachable' // refused, reset, bad certificate, broken HTTP
  | 'fetch.timeout'
  | 'fetch.redirected'
  | 'fetch.gone' // 404 or 410: whoever published it took it away
  | 'fetch.status' // any other that is not 200
  | 'fetch.content_type'
  | 'fetch.content_encoding'
  | 'fetch.too_large'
  | 'fetch.budget'; // too many fetches just now

export class SafeFetchError extends Error {
  override readonly name = 'SafeFetchError';
  readonly reason: SafeFetchReason;

  constructor(reason: SafeFetchReason, options: { readonly cause?: unknown } = {}) {
    super(reason, options);
    this.reason = reason;
  }
}
