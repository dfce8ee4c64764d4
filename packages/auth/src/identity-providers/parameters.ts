/** The fixed parameters somebody adds to the authorization request: bounded, and never one that the protocol rests on. */

/** Each is set by us, or would move the answer or the request somewhere we do not look (RFC 9101, OAuth 2.0 Form Post). */
const ours = new Set([
  'client_id',
  'client_secret',
  'code_challenge',
  'code_challenge_method',
  'nonce',
  'redirect_uri',
  'request',
  'request_uri',
  'response_mode',
  'response_type',
  'scope',
  'state',
]);

/** Throws a `TypeError` that says what is wrong. `offline`: the prompt is ours as well. */
export function checkedParameters(
  parameters: Readonly<Record<string, string>>,
  offline: boolean,
): Readonly<Record<string, string>> {
  const entries = Object.entries(parameters);
  if (entries.length > 20) throw new TypeError('authorizationParameters: at most 20');
  for (const [name, value] of entries) {
    if (!/^[A-Za-z0-9_.-]{1,64}$/.test(name))
      throw new TypeError(`authorizationParameters: ${JSON.stringify(name.slice(0, 64))} is no name of a parameter`);
    if (ours.has(name) || (offline && name === 'prompt'))
      throw new TypeError(`authorizationParameters: ${name} is Gatehouse's own and cannot be set`);
    if (typeof value !== 'string' || value.length > 512 || /[^\x20-\x7e]/.test(value))
      throw new TypeError(`authorizationParameters: ${name} is not a printable text of at most 512 characters`);
  }
  return Object.fromEntries(entries);
}
