/**
 * The entry of the authorizer's Lambda function: handler `…/lambda-authorizer-entry.rest` for REST APIs, `.http` for HTTP
 * APIs. GATEHOUSE_CONFIG holds the path of the configuration or its JSON; tokens, keys and connections that were seen
 * once stay with the module for the calls that follow.
 */
import { loadAuthorizerConfig } from './config/authorizer.ts';
import { authorizerFrom, type ConfiguredAuthorizer } from './configured-authorizer.ts';
import type {
  HttpAuthorizerEvent,
  HttpAuthorizerResult,
  RestAuthorizerEvent,
  RestAuthorizerResult,
} from './lambda-authorizer.ts';
import { createLog } from './log.ts';

let made: ConfiguredAuthorizer | undefined;

/** At the first call and not at the import: what is wrong with the configuration is said in that call's log, whole. */
function authorizer(): ConfiguredAuthorizer {
  made ??= authorizerFrom(loadAuthorizerConfig(), {
    log: createLog('json'),
    // A database costs its import only where it is used.
    openRecords: async (records) => (await import('./open-records.ts')).openRecords(records),
  });
  return made;
}

export const rest = async (event: RestAuthorizerEvent): Promise<RestAuthorizerResult> => authorizer().rest(event);

export const http = async (event: HttpAuthorizerEvent): Promise<HttpAuthorizerResult> => authorizer().http(event);
