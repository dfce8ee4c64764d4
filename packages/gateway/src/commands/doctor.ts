/** `gatehouse doctor`: examines any deployed MCP server from outside, and says which clients fail on it and why. */
import { readFileSync } from 'node:fs';
import { diagnose } from '../doctor/diagnose.ts';
import { type ExamineOptions, examine } from '../doctor/examine.ts';
import type { Finding } from '../doctor/finding.ts';
import { hintsFor } from '../doctor/hints/hints.ts';
import { judgeAll, personaNames } from '../doctor/personas/judge.ts';
import { reportJson, reportText } from '../doctor/report.ts';
import { shown } from '../doctor/text.ts';
import { readTypedUrl } from '../doctor/typed-url.ts';
import { progress } from './progress.ts';
import { exitCodes, readArguments, say, UsageError, wholeNumber } from './usage.ts';

const tokenVariable = 'GATEHOUSE_DOCTOR_TOKEN';

export const doctorHelp = `gatehouse doctor – why does a client not connect to this MCP server?

  gatehouse doctor https://mcp.example.com/mcp
      Goes the way of an MCP client, at any server, yours or not: the address
      and its certificate, the first request without a token, the metadata, a
      registration, the sign-in page and the token endpoint as far as one comes
      without signing in. Says what is wrong, who fails on it, and the cure.

  gatehouse doctor https://mcp.example.com/mcp --fix
      Adds what to change at the front door that it sees (CloudFront, Lambda
      Function URL, API Gateway, load balancer, nginx, …).

  GATEHOUSE_DOCTOR_TOKEN=… gatehouse doctor https://mcp.example.com/mcp
      Looks behind the sign-in, too: both eras of MCP, the tools, and whether
      something on the way cuts or holds back a stream.

It leaves a trace: three clients are registered, named “gatehouse doctor”, and
deleted again where the server offers that; --no-register does without, and then
less of the sign-in and token endpoints is examined. Nothing else is changed, no
tool is called, and no redirect is followed without saying so. About 40 requests
are made.

Options
  --fix                   what to change at the front door that was seen
  --client NAMES          only these clients, such as claude-code,cursor
  --token TOKEN           an access token; better in ${tokenVariable},
                          where no list of processes shows it
  --no-register           register no client
  --timeout SECONDS       for everything but the stream, 5 to 600         (60)
  --stream-seconds NUMBER how long to watch a stream, 0 to 3600; 70 finds the
                          usual timeouts of 30 and 60 s                    (5)
  --ca FILE               also trust certificates of this authority (PEM)
  --insecure              send the token although the certificate is not trusted
  --json                  everything that was seen and found, as JSON
  --help                  this text

What it found: ✗ a fault: clients fail, or strangers get in; ! a warning: some
clients fail, or one day; · a note. The name behind each, such as
server.no-iss, stays the same from version to version.

Exit codes: 0 no faults, 1 nothing there to examine, 2 wrong usage,
3 faults were found.
`;

export interface DoctorOptions {
  readonly env?: NodeJS.ProcessEnv;
}

/** Resolves to the exit code. */
export async function doctorCommand(
  args: readonly string[],
  { env = process.env }: DoctorOptions = {},
): Promise<number> {
  const { values, positionals } = readArguments({
    args: [...args],
    allowPositionals: true,
    options: {
      fix: { type: 'boolean' },
      client: { type: 'string', multiple: true },
      token: { type: 'string' },
      'no-register': { type: 'boolean' },
      timeout: { type: 'string' },
      'stream-seconds': { type: 'string' },
      ca: { type: 'string' },
      insecure: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    say(doctorHelp);
    return exitCodes.done;
  }
  const [url, ...others] = positionals;
  if (url === undefined) throw new UsageError('Say which MCP server: gatehouse doctor https://mcp.example.com/mcp.');
  if (others.length > 0) throw new UsageError(`One URL at a time: what is "${others[0]}"?`);
  const typed = readTypedUrl(url);
  if (typeof typed === 'string') throw new UsageError(typed);
  const clients = wantedClients(values.client);
  const line = progress();
  const stop = new AbortController();
  // What was seen until then is told.
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt);
  try {
    const facts = await examine({
      typed,
      token: readToken(values.token ?? env[tokenVariable]),
      register: !values['no-register'],
      insecure: values.insecure ?? false,
      timeoutSeconds: wholeNumber('--timeout', values.timeout ?? '60', 5, 600),
      streamSeconds: wholeNumber('--stream-seconds', values['stream-seconds'] ?? '5', 0, 3600),
      ...readAuthority(values.ca),
      onProgress: (step) => line.show(shown(step)),
      signal: stop.signal,
    });
    line.clear();
    const parts = {
      ...diagnose(facts),
      clients: facts.endpoint ? judgeAll(facts, clients) : [],
      ...(values.fix && { hints: (finding: Finding) => hintsFor(finding, facts) }),
    };
    const { stdout } = process;
    const style = { colours: coloured(stdout, env), width: Math.min(stdout.columns ?? 100, 110) };
    say(values.json ? reportJson(parts) : reportText(parts, style));
    if (!facts.endpoint) return exitCodes.failed;
    return parts.findings.some(({ severity }) => severity === 'fault') ? exitCodes.faults : exitCodes.done;
  } finally {
    line.clear();
    process.off('SIGINT', interrupt);
  }
}

/** Undefined: all. */
function wantedClients(given: readonly string[] | undefined): readonly string[] | undefined {
  const names = given?.flatMap((list) => list.split(',')).map((name) => name.trim().toLowerCase());
  const strange = names?.find((name) => !personaNames.includes(name));
  if (strange !== undefined) {
    throw new UsageError(`--client: there is no ${JSON.stringify(strange)}; known are ${personaNames.join(', ')}.`);
  }
  return names;
}

function readToken(token: string | undefined): string | undefined {
  if (token === undefined || token === '') return undefined;
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) {
    throw new UsageError('The token has characters that no bearer token has (RFC 6750 §2.1): was it copied whole?');
  }
  return token;
}

function readAuthority(file: string | undefined): Pick<ExamineOptions, 'ca'> {
  if (file === undefined) return {};
  const ca = readFileSync(file, 'utf8');
  if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new UsageError(`--ca: there is no certificate in ${file}.`);
  return { ca };
}

/** https://no-color.org, and FORCE_COLOR as Node has it. */
function coloured(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  return (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0') || (stream.isTTY ?? false);
}
