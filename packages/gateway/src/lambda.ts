/**
 * The gateway as an AWS Lambda function that streams its answers, behind a Function URL (invoke mode RESPONSE_STREAM) or
 * the proxy integration of a REST API (response transfer mode STREAM). GATEHOUSE_CONFIG holds the path of the
 * configuration or its JSON; `listen` and `metrics` are not used.
 *
 * What the platform makes of it, and no code of ours can change:
 * - It renames `www-authenticate` to `x-amzn-remapped-www-authenticate`. MCP clients then find the resource's metadata at
 *   its well-known address, and miss the scope of a challenge; an edge function or a load balancer in front keeps it.
 * - A client that goes away is not told to us: a call runs on at the target, and an open stream is paid for, until it ends
 *   or the function's timeout is near. Then streams are ended in good order and calls are answered with 504.
 * - A request has at most 6 MB, with its base64; an answer at most 200 MB.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { RecordsUnavailableError } from '@mcp-gatehouse/records';
import { assemble, type Gateway } from './assemble.ts';
import { lambdaConfig } from './lambda/configuration.ts';
import { exchange } from './lambda/exchange.ts';
import { lambdaPlatform, type StreamingHandler } from './lambda/platform.ts';
import { createLog } from './log.ts';

/** Before the platform's deadline: for the end of the answer, and for what outlives it. */
const reserveMs = 1_000;

/** For what outlives its answer: more is left to the next event, whose caller would wait for it. */
const flushMs = 3_000;

/**
 * Everything up to the first event, once an instance: to be awaited in the init phase, where a fault of the configuration
 * ends the deployment and not somebody's request. Rejects with words that name every fault.
 */
export async function start(): Promise<StreamingHandler> {
  const platform = lambdaPlatform();
  const config = lambdaConfig();
  const log = createLog('json');
  const gateway = await assemble(config, { log });
  // A wrong secret stops the start; a database that is away does not, because it may come back (REL-02).
  await gateway.ready().catch((error: unknown) => {
    if (!(error instanceof RecordsUnavailableError)) throw error;
    log({ event: 'gateway.keys_unavailable', cause: error.message });
  });
  return platform.streamifyResponse(handlerOf(gateway, new URL(config.issuer).host));
}

function handlerOf(gateway: Pick<Gateway, 'http' | 'flush'>, publicHost: string): StreamingHandler {
  const platform = lambdaPlatform();
  return async (event, stream, context) => {
    try {
      const left = context.getRemainingTimeInMillis();
      // At most a third for the reserve: a timeout of a second or two leaves time for an answer too.
      const deadlineMs = Math.max(0, left - Math.min(reserveMs, left / 3));
      await exchange(event, stream, { server: gateway.http.server, platform, publicHost, deadlineMs });
    } finally {
      // What outlived its request, and the audit trail: frozen in the middle, it might never go on.
      const patience = Math.min(flushMs, Math.max(0, context.getRemainingTimeInMillis() - 100));
      const enough = new AbortController();
      await Promise.race([gateway.flush(), pause(patience, undefined, { signal: enough.signal })]);
      enough.abort();
    }
  };
}
