/** What the fields that many events share mean: said once, in the words of docs/events.md. */

export const client = 'First 8 characters of the SHA-256 (base64url) of the client id.';
export const person = 'First 8 characters of the person’s subject, which is a SHA-256.';
export const grant = 'Id of the grant; no credential.';
export const reason = 'Private tag of why.';
export const resource = 'URI of the MCP server.';
export const scope = 'Scopes, separated by spaces.';
export const path = 'Path of the request, without its query.';
export const status = 'HTTP status of the answer.';
export const cause = 'The fault in words, with its stack. Log only.';
export const transient = 'Whether the same may work in a moment.';
export const sub = 'The user’s subject in the local user pool.';
export const username = 'Name of the user in the local user pool.';
export const clientId = 'Client id at the local user pool.';
export const grantType = 'Grant type by its registered name.';
export const accessDetails = {
  grant: 'Id of the grant; absent where the client acts without one.',
  person,
  subject: 'Without a grant: first 8 characters of the SHA-256 of the subject.',
  authenticatedBy: 'Without a grant: how the client proved itself.',
  identityIssuer: 'Without a grant: who vouched for the person.',
};
