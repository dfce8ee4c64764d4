/**
 * Whether a target is there and speaks MCP, and whether it also answers whoever does not come through the gateway: an
 * `initialize` (MCP 2025-11-25, "Lifecycle") without our secret, and then with it.
 */
import { readFileSync, statSync } from 'node:fs';
import type { ResourceConfig } from '../config/resource.ts';
import { describeTarget, type HttpTargetConfig, isStdio, type StdioTargetConfig } from '../config/target.ts';
import { isLoopbackHost } from '../loopback.ts';
import { programAt } from '../stdio/program.ts';
import { type Answer, ask } from './ask.ts';
import { type Check, type Finding, whyNot } from './finding.ts';

export interface TargetSecrets {
  readonly secret: string | undefined;
  /** The headers of an HTTP target, with their secrets. */
  readonly values: Readonly<Record<string, string>>;
}

export function targetCheck(resource: ResourceConfig, secrets: TargetSecrets): Check {
  const { target } = resource;
  const name = `target ${resource.path ?? resource.url}`;
  const found = (outcome: Finding['outcome'], says: string, cure?: string): Finding => ({
    check: name,
    outcome,
    says,
    ...(cure !== undefined && { cure }),
  });
  return {
    name,
    async run(signal) {
      if (isStdio(target)) return [program(target, found)];
      if (resource.kind === 'api') return [await plainApi(target, secrets, signal, found)];
      try {
        return await endpoint(target, secrets, { signal, wantsPerson: wantsPerson(resource), found });
      } catch (error) {
        const { says, cure } = whyNot(error);
        return [found('fault', `${describeTarget(target)}: ${says}`, cure)];
      }
    },
  };
}

type Found = (outcome: Finding['outcome'], says: string, cure?: string) => Finding;

/** Not started: it may do anything, and `serve` starts it for somebody who has signed in. */
function program({ command, cwd }: StdioTargetConfig, found: Found): Finding {
  if (cwd !== undefined && !isFolder(cwd)) return found('fault', `there is no folder ${cwd}`, 'correct target.cwd');
  const place = programAt(command, cwd);
  if (place !== undefined) return found('ok', `${place} is there and may be run`);
  return found(
    'fault',
    command.includes('/') ? `${command} is no program` : `no ${command} in the PATH of this user`,
    'install it where the gateway runs, or write the whole path in target.command',
  );
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** It is sent a token for each person who calls: nobody is here, so there is none to show, and it must refuse us. */
function wantsPerson({ identity }: ResourceConfig): boolean {
  return identity === 'providerToken' || typeof identity === 'object';
}

interface Examination {
  readonly signal: AbortSignal;
  readonly wantsPerson: boolean;
  readonly found: Found;
}

async function endpoint(
  target: HttpTargetConfig,
  { secret, values }: TargetSecrets,
  { signal, wantsPerson, found }: Examination,
): Promise<readonly Finding[]> {
  const place = describeTarget(target);
  const options = { url: target.url, signal, ...(target.tls && { tls: tlsOptions(target.tls) }) };
  const ours = { ...values, ...(secret !== undefined && { 'x-gatehouse-secret': secret }) };
  const insecure: readonly Finding[] = target.tls?.dangerouslyAcceptAnyCertificate
    ? [found('warning', 'any certificate is taken for its own', 'name the authority in tls.ca instead')]
    : [];
  const asItShould = (answer: Answer) => [
    found('ok', `${place} refuses who comes without a person, as it should (status ${answer.status})`),
    ...insecure,
  ];
  if (target.transport === 'sse') {
    const answer = await ask({ ...options, headers: { accept: 'text/event-stream', ...ours } });
    return wantsPerson && isRefusal(answer) ? asItShould(answer) : [eventStream(answer, place, found), ...insecure];
  }
  const withoutSecret = await greet(options, {});
  if (Object.keys(ours).length === 0) {
    if (wantsPerson && isRefusal(withoutSecret)) return asItShould(withoutSecret);
    return [judged(withoutSecret, place, found), ...insecure, ...openToOthers(withoutSecret, target, found)];
  }
  const withSecret = await greet(options, ours);
  // Whether the secret is right, too, only somebody who signs in can see.
  if (wantsPerson && isRefusal(withSecret)) return asItShould(withSecret);
  const findings = [judged(withSecret, place, found), ...insecure];
  if (isRefusal(withSecret)) {
    return [
      found('fault', `${place} refuses our secret (status ${withSecret.status})`, 'give both sides the same one'),
    ];
  }
  if (isRefusal(withoutSecret)) return [...findings, found('ok', 'it refuses who comes without our secret')];
  if (!speaksMcp(withoutSecret)) return findings;
  return [
    ...findings,
    found(
      'warning',
      'it answers without our secret too: whoever reaches it goes round the gateway',
      'let it refuse requests without x-gatehouse-secret, or let only the gateway reach it',
    ),
  ];
}

/** Whatever it answers to a GET, it is there; only its own failure is one. */
async function plainApi(
  target: HttpTargetConfig,
  { secret, values }: TargetSecrets,
  signal: AbortSignal,
  found: Found,
): Promise<Finding> {
  const place = describeTarget(target);
  const headers = { ...values, ...(secret !== undefined && { 'x-gatehouse-secret': secret }) };
  const tls = target.tls && { tls: tlsOptions(target.tls) };
  const answer = await ask({ url: target.url, signal, headers, ...tls }).catch((error: unknown) => ({ error }));
  if ('error' in answer) return found('fault', `${place}: ${whyNot(answer.error).says}`, whyNot(answer.error).cure);
  const { status, milliseconds } = answer;
  if (status >= 500) return found('fault', `${place} answers ${status}`, 'see its log');
  return found('ok', `${place} answers ${status} (${milliseconds} ms)`);
}

/** No secret was configured: on another computer that is only as safe as the network between. */
function openToOthers(answer: Answer, target: HttpTargetConfig, found: Found): readonly Finding[] {
  if (!speaksMcp(answer) || isLoopbackHost(new URL(target.url).hostname)) return [];
  return [
    found(
      'warning',
      'it answers everybody who reaches it: whoever does goes round the gateway',
      'set targetSecret and let it refuse requests without it, or let only the gateway reach it',
    ),
  ];
}

function judged(answer: Answer, place: string, found: Found): Finding {
  const { status, milliseconds, json } = answer;
  if (speaksMcp(answer)) return found('ok', `${place} speaks MCP${nameOf(json)} (${milliseconds} ms)`);
  if (isRefusal(answer)) {
    return found(
      'fault',
      `${place} refuses us (status ${status})`,
      'switch off its own sign-in, or give it what it asks for: targetSecret, or target.headers',
    );
  }
  if (status === 404)
    return found('fault', `${place} is no MCP endpoint (status 404)`, 'correct the path of the target');
  if (status === 405) {
    return found('fault', `${place} takes no POST (status 405)`, 'is it HTTP+SSE of 2024-11-05? Then transport: sse');
  }
  if (status >= 300 && status < 400) {
    const to = String(answer.headers.location ?? '');
    return found('fault', `${place} redirects to ${to.slice(0, 200)}`, 'write the address that it redirects to');
  }
  return found('fault', `${place} answers ${status}, and not as an MCP server`, 'see its log');
}

function speaksMcp({ json }: Answer): boolean {
  return json?.jsonrpc === '2.0';
}

function isRefusal({ status }: Answer): boolean {
  return status === 401 || status === 403;
}

/** What it calls itself, where it says so: bounded, and nothing that a terminal would act on. */
function nameOf(json: Answer['json']): string {
  const { serverInfo } = (json?.result ?? {}) as { serverInfo?: { name?: unknown } };
  const { name } = serverInfo ?? {};
  return typeof name === 'string' && /^[\p{L}\p{N}\p{P}\p{S} ]{1,80}$/u.test(name) ? ` and calls itself "${name}"` : '';
}

type Options = Pick<Parameters<typeof ask>[0], 'url' | 'signal' | 'tls'>;

async function greet(options: Options, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const answer = await ask({
    ...options,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'user-agent': 'gatehouse check',
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 'gatehouse-check',
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'gatehouse check', version: '1' },
      },
    }),
  });
  const session = answer.headers['mcp-session-id'];
  // What was only looked at is given back; a server that keeps no sessions to be ended says 405.
  if (typeof session === 'string') {
    await ask({ ...options, method: 'DELETE', headers: { ...headers, 'mcp-session-id': session } }).catch(whyNot);
  }
  return answer;
}

function eventStream(answer: Answer, place: string, found: Found): Finding {
  if (answer.status === 200 && /^event: ?endpoint$/m.test(answer.text)) {
    return found('ok', `${place} speaks MCP over HTTP+SSE (${answer.milliseconds} ms)`);
  }
  return found(
    'fault',
    `${place} opens no stream of events (status ${answer.status})`,
    'leave out transport: sse, or correct the path',
  );
}

function tlsOptions(tls: NonNullable<HttpTargetConfig['tls']>): Record<string, unknown> {
  const { ca, cert, key, serverName, dangerouslyAcceptAnyCertificate } = tls;
  return {
    ...(ca !== undefined && { ca: readFileSync(ca, 'utf8') }),
    ...(cert !== undefined && { cert: readFileSync(cert, 'utf8') }),
    ...(key !== undefined && { key: readFileSync(key, 'utf8') }),
    ...(serverName !== undefined && { servername: serverName }),
    ...(dangerouslyAcceptAnyCertificate && { rejectUnauthorized: false }),
  };
}
