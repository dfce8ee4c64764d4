/** `gatehouse token`: an access token for trying things out, made with the gateway's own secrets (RFC 9068). */
import { issueDevelopmentToken, KeySetSealedError, type Resource } from '@mcp-gatehouse/auth';
import { auditTrail, recordSink } from '@mcp-gatehouse/auth/audit';
import { resourceUri } from '../config/resource.ts';
import type { Config } from '../config/schema.ts';
import { isLoopbackHost } from '../loopback.ts';
import {
  configFrom,
  keyringOf,
  placeHelp,
  placeOptions,
  refuseMemory,
  systemSeconds,
  withRecords,
} from './configured.ts';
import { date } from './table.ts';
import { exitCodes, exitCodesHelp, note, readArguments, say, sayJson, UsageError, wholeNumber } from './usage.ts';

export const tokenHelp = `gatehouse token – an access token for trying things out

  gatehouse token
      For the gateway of this folder (serve --local), valid for 15 minutes. The
      token stands alone on standard output, a call with curl beside it:
      curl -H "authorization: Bearer $(gatehouse token)" …

  gatehouse token --config gatehouse.yaml --resource /files/mcp --scope read
      For one of several MCP servers, with less than everything.

Nobody signs in and nobody is asked: the token is made with the gateway's own
secrets, belongs to a made-up person, and stands in the audit trail. That is for
a gateway on this computer; for a public one it is a way round its sign-in.

Options
  --resource PLACE     path or URL of the MCP server; needed where there are
                       several (with --data: as it was served)
  --scope SCOPE        of these scopes; may be given again (the default scope)
  --user SUBJECT       whose token it is                        (development)
  --role NAME          with this role; may be given again
  --permission NAME    with this permission; may be given again
  --seconds NUMBER     how long it lives, 1 to 3600                     (900)
${placeHelp}
  --issuer URL         with --data: the gateway's URL     (where it was last)
  --dangerously-public for a gateway that is not on this computer
  --json               one JSON line: { accessToken, resource, subject, scope,
                       expiresAt }, the last in seconds
  --help               this text

${exitCodesHelp}
`;

/** Resolves to the exit code. */
export async function tokenCommand(args: readonly string[]): Promise<number> {
  const { values } = parse(args);
  if (values.help) {
    say(tokenHelp);
    return exitCodes.done;
  }
  const seconds = wholeNumber('--seconds', values.seconds ?? '900', 1, 3600);
  const config = configOf(values);
  refuseMemory(config);
  const { hostname } = new URL(config.issuer);
  if (!isLoopbackHost(hostname) && !values['dangerously-public']) {
    throw new UsageError(
      `${config.issuer} is not on this computer, and its people sign in: --dangerously-public says that it is meant.`,
    );
  }
  const resources = config.resources.map((one) => asResource(one, config.issuer));
  const issued = await issue(config, resources, {
    ...(values.resource !== undefined && { resource: uriOf(values.resource, config.issuer) }),
    ...(values.scope && { scope: values.scope.flatMap((one) => one.split(' ')) }),
    ...(values.user !== undefined && { subject: values.user }),
    ...(values.role && { roles: values.role }),
    ...(values.permission && { permissions: values.permission }),
    seconds,
  });
  if (issued.outcome === 'refused') {
    throw new UsageError(issued.faults.map((fault) => `--${asFlag(fault)}`).join('\n'));
  }
  if (config.audit.records === false) note('audit.records is false: nothing keeps that this token was made.');
  const { outcome: _, ...token } = issued;
  if (values.json) {
    sayJson(token);
    return exitCodes.done;
  }
  say(token.accessToken);
  note(`\nUntil ${date(token.expiresAt)}, scope "${token.scope.join(' ')}". For example:\n\n${curl(token)}`);
  return exitCodes.done;
}

async function issue(
  config: Config,
  resources: readonly Resource[],
  request: Parameters<typeof issueDevelopmentToken>[1],
) {
  const keyring = keyringOf(config);
  const now = systemSeconds();
  return withRecords(config, async (records) => {
    const { records: kept } = config.audit;
    const trail = auditTrail({ sinks: kept ? [recordSink({ records, ...kept })] : [], now: () => now });
    const { log } = trail;
    const { signing } = config;
    try {
      const options = { records, keyring, resources, log, now, ...(signing && { signing }) };
      return await issueDevelopmentToken(options, request);
    } catch (error) {
      if (!(error instanceof KeySetSealedError)) throw error;
      throw new Error(`${error.message}\nA key opens for one issuer only: is ${config.issuer} the right one?`);
    } finally {
      await trail.close();
    }
  });
}

type Values = ReturnType<typeof parse>['values'];

/** `serve --local` keeps only the path of its resource: what is asked for here is taken for it. */
function configOf(values: Values): Config {
  const { resource, scope } = values;
  if (values.config !== undefined || (resource === undefined && scope === undefined)) {
    return configFrom(values, 'gateway');
  }
  const path = resource === undefined ? undefined : URL.canParse(resource) ? new URL(resource).pathname : resource;
  const scopes = scope && Object.fromEntries(scope.flatMap((one) => one.split(' ')).map((one) => [one, one]));
  return configFrom(values, 'gateway', { ...(path !== undefined && { path }), ...(scopes && { scopes }) });
}

function uriOf(resource: string, issuer: string): string {
  return resource.startsWith('/') ? new URL(issuer).origin + resource : resource;
}

function asResource(config: Config['resources'][number], issuer: string): Resource {
  const { scopes, defaultScope } = config;
  return { uri: resourceUri(config, issuer), scopes, ...(defaultScope && { defaultScope }) };
}

/** `scope: …` as the flag that says it. */
function asFlag(fault: string): string {
  return fault.replace(/^(\w+): /, (_, name: string) => `${flagOf.get(name) ?? name}: `);
}

const flagOf = new Map([
  ['subject', 'user'],
  ['roles', 'role'],
  ['permissions', 'permission'],
]);

/** A first message that every MCP server answers; quoted for a shell. */
function curl({ resource, accessToken }: { readonly resource: string; readonly accessToken: string }): string {
  const message = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'curl', version: '1' } },
  };
  return [
    `curl -sN '${resource}'`,
    `-H 'authorization: Bearer ${accessToken}'`,
    `-H 'content-type: application/json' -H 'accept: application/json, text/event-stream'`,
    `-d '${JSON.stringify(message)}'`,
  ].join(' \\\n  ');
}

function parse(args: readonly string[]) {
  return readArguments({
    args: [...args],
    options: {
      ...placeOptions,
      resource: { type: 'string' },
      scope: { type: 'string', multiple: true },
      user: { type: 'string' },
      role: { type: 'string', multiple: true },
      permission: { type: 'string', multiple: true },
      seconds: { type: 'string' },
      'dangerously-public': { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}
