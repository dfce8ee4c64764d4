/**
 * The guard as an Amazon API Gateway Lambda authorizer, of type REQUEST: an IAM policy for REST APIs, a simple response
 * (payload format 2.0) for HTTP APIs. For targets that API Gateway calls itself, without our proxy in between.
 *
 * What the platform makes of it, and no code of ours can change:
 * - REST: a refusal is the platform's own 401 (the only way there is throwing `Unauthorized`); it renames the header to
 *   `x-amzn-remapped-www-authenticate` unless a `GatewayResponse` of type UNAUTHORIZED sets one.
 * - HTTP API: a refusal is 403. Only a request that lacks the identity source gets a 401, before we are asked; clients
 *   that start to sign in at a 401 do so there, and never because a token has expired. Prefer REST, or our proxy.
 * - The identity source must be the Authorization header (`method.request.header.Authorization`, or
 *   `$request.header.Authorization`): it is the key of the platform's cache, and another key would serve one person's
 *   answer to the next. The cache's TTL (300 s unless set) is how long an end, an expiry or a revoked grant stays
 *   unseen: 0 to 60 s. Refusals that are thrown are not cached.
 */
import type { AccessToken } from '@mcp-gatehouse/auth';
import { type Guard, isReply } from '@mcp-gatehouse/auth/guard';

export interface AuthorizerOptions {
  readonly guard: Guard;
  /** What a valid token needs besides, such as `(token) => require(token, { scope: 'read' }) === undefined`. */
  readonly allows?: (token: AccessToken) => boolean;
}

export interface RestAuthorizerOptions extends AuthorizerOptions {
  /** The API key whose usage plan counts the call, where the API's key source is AUTHORIZER. */
  readonly usageIdentifierKey?: (token: AccessToken) => string | undefined;
}

/** Of `APIGatewayRequestAuthorizerEvent`, what is read. */
export interface RestAuthorizerEvent {
  readonly type: string;
  readonly methodArn: string;
  /** Names as the client spelled them. */
  readonly headers?: Readonly<Record<string, string | undefined>> | null;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null;
}

/** What an integration can read as `$context.authorizer.<name>`; text, because API Gateway makes text of it anyway. */
export type AuthorizerContext = Readonly<Record<string, string>>;

export interface RestAuthorizerResult {
  readonly principalId: string;
  readonly policyDocument: {
    readonly Version: '2012-10-17';
    readonly Statement: readonly [
      { readonly Action: 'execute-api:Invoke'; readonly Effect: 'Allow' | 'Deny'; readonly Resource: string },
    ];
  };
  readonly context: AuthorizerContext;
  readonly usageIdentifierKey?: string;
}

/** Rejects with `Unauthorized`, which is a 401; with anything else, which is a 500, when nobody can tell. */
export function restAuthorizer(
  options: RestAuthorizerOptions,
): (event: RestAuthorizerEvent) => Promise<RestAuthorizerResult> {
  const { guard, allows = () => true, usageIdentifierKey } = options;
  return async (event) => {
    if (event.type !== 'REQUEST')
      throw new Error(`This authorizer is of type REQUEST, and was called as ${event.type}.`);
    const resource = wholeStage(event.methodArn);
    const token = await judge(guard, restAuthorization(event));
    if (token === undefined) throw new Error('Unauthorized');
    const key = usageIdentifierKey?.(token);
    return {
      principalId: token.subject,
      policyDocument: {
        Version: '2012-10-17',
        Statement: [{ Action: 'execute-api:Invoke', Effect: allows(token) ? 'Allow' : 'Deny', Resource: resource }],
      },
      context: contextOf(token),
      ...(key !== undefined && { usageIdentifierKey: key }),
    };
  };
}

/** Of `APIGatewayRequestAuthorizerEventV2`, what is read. */
export interface HttpAuthorizerEvent {
  readonly version: string;
  readonly type: string;
  /** The values that the platform's cache is keyed by; absent where nothing is cached. */
  readonly identitySource?: readonly string[] | null;
  /** Lower-case names; values sent twice stand in one, with commas. */
  readonly headers?: Readonly<Record<string, string | undefined>> | null;
}

export interface HttpAuthorizerResult {
  readonly isAuthorized: boolean;
  readonly context: AuthorizerContext;
}

/** Resolves to `isAuthorized: false`, which is a 403, for every refusal; rejects, which is a 500, when nobody can tell. */
export function httpAuthorizer(
  options: AuthorizerOptions,
): (event: HttpAuthorizerEvent) => Promise<HttpAuthorizerResult> {
  const { guard, allows = () => true } = options;
  return async ({ version, type, identitySource, headers }) => {
    if (type !== 'REQUEST' || version !== '2.0') {
      throw new Error(`This authorizer takes payload format 2.0, and was called with ${version} (${type}).`);
    }
    const [authorization, ...others] = valuesOf(headers);
    // Fail closed where the answer would be kept under a key that says nothing of who asked.
    if (identitySource?.length && authorization !== undefined && !identitySource.includes(authorization)) {
      throw new Error(
        'The identity source must be $request.header.Authorization, or one caller would get what was meant for the next.',
      );
    }
    const token = await judge(guard, others.length === 0 ? authorization : '');
    if (token === undefined || !allows(token)) return { isAuthorized: false, context: {} };
    return { isAuthorized: true, context: contextOf(token) };
  };
}

/** Undefined: refused. Throws where the guard could not tell, so that nobody throws a good token away. */
async function judge(guard: Guard, authorization: string | undefined): Promise<AccessToken | undefined> {
  const result = await guard({ authorization });
  if (!isReply(result)) return result;
  if (result.status >= 500) throw new Error('The authorizer cannot answer right now.');
  return undefined;
}

/**
 * The API's whole stage. The platform keeps a policy under the Authorization header alone and uses it for every method
 * that shares the authorizer: one for the method that happened to be called first would refuse the others, until it is
 * forgotten. What a token may do is the target's question (`require`), whose token it is is answered here.
 */
function wholeStage(methodArn: string): string {
  // No `*`, `?` or `${}` in what is kept: in a policy they would be more than text.
  const stage = /^(arn:aws[a-z-]*:execute-api:[a-z0-9-]+:\d{12}:[a-z0-9]+\/[A-Za-z0-9_-]+)\//.exec(methodArn)?.[1];
  if (stage === undefined) throw new Error('The method ARN of the event is not one of a REST API.');
  return `${stage}/*`;
}

/** The one Authorization header, however it is spelled; sent twice it is none that the guard would take. */
function restAuthorization({ headers, multiValueHeaders }: RestAuthorizerEvent): string | undefined {
  const single = valuesOf(headers);
  const all = Object.entries(multiValueHeaders ?? {}).flatMap(([name, values]) =>
    isAuthorization(name) ? (values ?? []) : [],
  );
  const distinct = new Set([...single, ...all]);
  return distinct.size > 1 || single.length > 1 || all.length > 1 ? '' : [...distinct][0];
}

function valuesOf(headers: RestAuthorizerEvent['headers']): readonly string[] {
  return Object.entries(headers ?? {}).flatMap(([name, value]) =>
    isAuthorization(name) && value !== undefined ? [value] : [],
  );
}

function isAuthorization(name: string): boolean {
  return name.toLowerCase() === 'authorization';
}

/** The caller, for the integration. Lists of names that may hold spaces, and claims, are JSON; nothing of the token itself. */
function contextOf(token: AccessToken): AuthorizerContext {
  const { subject, clientId, scope, tokenId, expiresAt, identity, roles, permissions, claims } = token;
  return {
    subject,
    clientId,
    scope: scope.join(' '),
    tokenId,
    expiresAt: String(expiresAt),
    ...(identity && { identityIssuer: identity.issuer, identitySubject: identity.subject }),
    ...(roles && { roles: JSON.stringify(roles) }),
    ...(permissions && { permissions: JSON.stringify(permissions) }),
    ...(claims && { claims: JSON.stringify(claims) }),
  };
}
