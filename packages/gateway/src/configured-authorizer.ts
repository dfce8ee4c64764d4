/**
 * From a configuration to the two handlers of `lambda-authorizer.ts`: whose tokens count, where their keys are, and what
 * a token needs for the stage. Nothing is fetched, opened or read before a token needs it.
 */
import { type AuthRecords, harmless, type Log, logName } from '@mcp-gatehouse/auth';
import { type ForeignIssuer, foreignTokens } from '@mcp-gatehouse/auth/foreign-tokens';
import { firstOf } from '@mcp-gatehouse/auth/foreign-tokens/first-of';
import {
  type Auth0IssuerOptions,
  auth0Issuer,
  type CognitoIssuerOptions,
  cognitoIssuer,
  type OidcIssuerOptions,
  oidcIssuer,
} from '@mcp-gatehouse/auth/foreign-tokens/profiles';
import { guard, type TokenVerifier } from '@mcp-gatehouse/auth/guard';
import { ownTokens, publishedKeys } from '@mcp-gatehouse/auth/own-tokens';
import { recordedKeys } from '@mcp-gatehouse/auth/recorded-keys';
import { require as missing } from '@mcp-gatehouse/auth/require';
import type { Records } from '@mcp-gatehouse/records';
import { type AuthorizerConfig, guardedResource } from './config/authorizer.ts';
import { ConfigError } from './config/load.ts';
import { resourceUri } from './config/resource.ts';
import { withoutUndefined } from './config/without-undefined.ts';
import { type AuthorizerOptions, httpAuthorizer, restAuthorizer } from './lambda-authorizer.ts';

type OpenRecords = (config: NonNullable<AuthorizerConfig['records']>) => Promise<Records<AuthRecords>>;

export interface ConfiguredAuthorizerOptions {
  readonly log?: Log;
  /** Whole seconds since the epoch. */
  readonly now?: () => number;
  /** For `keys: "records"`; called once, when a token first needs it. */
  readonly openRecords?: OpenRecords;
}

export interface ConfiguredAuthorizer {
  /** For REST APIs, of type REQUEST. */
  readonly rest: ReturnType<typeof restAuthorizer>;
  /** For HTTP APIs, payload format 2.0 with simple responses. */
  readonly http: ReturnType<typeof httpAuthorizer>;
  /** Lets go of the records, if they were opened. */
  close(): Promise<void>;
}

/** Throws a `ConfigError` for what only the library can judge. */
export function authorizerFrom(
  config: AuthorizerConfig,
  options: ConfiguredAuthorizerOptions = {},
): ConfiguredAuthorizer {
  const { issuer, authorizer } = config;
  const { openRecords, now = () => Math.floor(Date.now() / 1000) } = options;
  const log = harmless(options.log);
  const guarded = guardedResource(config);
  const { scopes, defaultScope } = guarded;
  const resource = resourceUri(guarded, issuer);
  const records = oneAtATime(async () => {
    if (!config.records || !openRecords) throw new Error('There is nothing to open the records with.');
    return openRecords(config.records);
  });
  const onFailure = (failure: { readonly issuer: string; readonly cause: unknown }) =>
    log({ event: 'authorizer.keys_unavailable', issuer: failure.issuer, cause: inWords(failure.cause) });

  const verifiers: TokenVerifier[] = [];
  if (authorizer.keys !== 'none') {
    const keys =
      authorizer.keys === 'records'
        ? recordedKeys({ issuer, records: records.open, now })
        : publishedKeys({ issuer, now, onFailure });
    verifiers.push(ownTokens({ issuer, resource, keys, now, cacheSize: 1000 }));
  }
  if (authorizer.issuers.length > 0) {
    verifiers.push(
      faultsOf(() =>
        foreignTokens({ issuers: authorizer.issuers.map((one) => asIssuer(one, resource)), now, onFailure }),
      ),
    );
  }
  const handlerOptions: AuthorizerOptions = {
    guard: guard({
      resource: { uri: resource, scopes, ...(defaultScope && { defaultScope }) },
      verify: firstOf(...verifiers),
      now,
      // Where there is a database, a grant that has ended is seen within seconds; elsewhere a token lives its minutes.
      ...(authorizer.keys === 'records' && {
        grantAlive: async (grantId: string) => {
          const stored = await (await records.open()).get('grant', grantId);
          return stored !== undefined && stored.value.endedAt === undefined;
        },
      }),
      onRefusal: ({ reason, status, cause }) => {
        if (reason === 'token.missing') return;
        log({
          event: 'authorizer.refused',
          resource,
          status,
          reason,
          ...(cause !== undefined && { cause: inWords(cause) }),
        });
      },
    }),
    allows(token) {
      const denial = missing(token, withoutUndefined(authorizer.needs));
      if (denial)
        log({ event: 'authorizer.denied', resource, subject: logName(token.subject), reason: denial.error.reason });
      return denial === undefined;
    },
  };
  return { rest: restAuthorizer(handlerOptions), http: httpAuthorizer(handlerOptions), close: records.close };
}

function asIssuer(entry: AuthorizerConfig['authorizer']['issuers'][number], resource: string): ForeignIssuer {
  const { type: _, ...settings } = entry;
  const options: unknown = { ...withoutUndefined(settings), resource };
  switch (entry.type) {
    case 'cognito':
      return cognitoIssuer(options as CognitoIssuerOptions);
    case 'auth0':
      return auth0Issuer(options as Auth0IssuerOptions);
    case 'oidc':
      return oidcIssuer(options as OidcIssuerOptions);
  }
}

/** Opened once, however many wait for it; one that could not be opened is tried again by the next (SEC-19). */
function oneAtATime(make: () => Promise<Records<AuthRecords>>) {
  let opening: Promise<Records<AuthRecords>> | undefined;
  return {
    open(): Promise<Records<AuthRecords>> {
      opening ??= make().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return opening;
    },
    async close(): Promise<void> {
      const opened = opening;
      opening = undefined;
      await (await opened)?.close();
    },
  };
}

/** What is wrong with the issuers is a fault of the configuration, and no bug. */
function faultsOf<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const [first = '', ...faults] = error.message.split('\n- ');
    throw new ConfigError(
      'The configuration',
      (faults.length > 0 ? faults : [first]).map((fault) => `authorizer.${fault}`),
    );
  }
}

function inWords(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
