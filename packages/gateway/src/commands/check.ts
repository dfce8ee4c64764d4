/** `gatehouse check`: tries a configuration before somebody else does, and prints what it came to. */
import { endpointPaths } from '@mcp-gatehouse/auth';
import { stringify } from 'yaml';
import { type Check, type Finding, runChecks } from '../check/finding.ts';
import { isReference, partsOf, recordsCheck, secretsOf } from '../check/house.ts';
import { providerCheck } from '../check/provider.ts';
import { publicCheck } from '../check/public.ts';
import { targetCheck } from '../check/target.ts';
import { ConfigError, checkConfig, parseConfig, readConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { providerFrom } from '../provider-from.ts';
import { progress } from './progress.ts';
import { count } from './table.ts';
import { exitCodes, readArguments, say, sayJson, UsageError, wholeNumber } from './usage.ts';

export const checkHelp = `gatehouse check – try a configuration before anybody else does

  gatehouse check --config gatehouse.yaml
      Reads the settings and the secrets, asks the identity provider whether it
      is the one and knows us, opens the database, greets every target, and
      looks whether the public URL leads to a gateway. Says what is wrong, and
      what to do about it. Nothing is changed.

  gatehouse check --config gatehouse.yaml --print
      And prints the configuration with everything that was left out. Secrets
      stand in it as where they are found, never as what they are.

  gatehouse check --config gatehouse.yaml --offline
      Settings and secrets alone, such as in a build.

Run it where the gateway runs, with its environment: what it can reach, the
gateway can. What it asks of others: the provider's documents, its sign-in page
without signing in, its token endpoint with a code that is none; of a target an
"initialize" with and without our secret.

Options
  --config FILE        the configuration, JSON or YAML; or the word after check
  --print              the effective configuration, too
  --offline            reach nothing and nobody
  --seconds NUMBER     for each check, 1 to 300                          (15)
  --json               one JSON line: { config, faults, warnings, redirectUri?,
                       checks: [{ check, outcome: ok | warning | fault, says,
                       cure? }], effective? }
  --help               this text

Exit codes: 0 no faults (there may be warnings), 1 could not look, 2 wrong
usage, 3 faults were found.
`;

/** Resolves to the exit code. */
export async function checkCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments({
    args: [...args],
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      print: { type: 'boolean' },
      offline: { type: 'boolean' },
      seconds: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    say(checkHelp);
    return exitCodes.done;
  }
  const files = [...(values.config === undefined ? [] : [values.config]), ...positionals];
  const [file] = files;
  if (file === undefined || files.length > 1) throw new UsageError('Say which configuration: --config FILE.');
  const seconds = wholeNumber('--seconds', values.seconds ?? '15', 1, 300);
  // What cannot be read is not judged.
  const text = readConfig(file);
  const report = await examine(file, text, values.offline ? undefined : seconds);
  const faults = report.checks.filter(({ outcome }) => outcome === 'fault').length;
  const warnings = report.checks.filter(({ outcome }) => outcome === 'warning').length;
  const effective = values.print && report.config && masked(report.config);
  if (values.json) {
    const { checks, redirectUri } = report;
    sayJson({
      config: file,
      faults,
      warnings,
      ...(redirectUri !== undefined && { redirectUri }),
      checks,
      ...(effective !== undefined && { effective }),
    });
  } else {
    if (effective) say(`${stringify(effective, { lineWidth: 0 })}`);
    say(inWords(file, report, faults, warnings));
  }
  return faults > 0 ? exitCodes.faults : exitCodes.done;
}

interface Report {
  readonly checks: readonly Finding[];
  readonly config?: Config;
  readonly redirectUri?: string;
}

/** `seconds` undefined: nothing is reached. */
async function examine(file: string, text: string, seconds: number | undefined): Promise<Report> {
  let config: Config;
  try {
    config = checkConfig(file, parseConfig(file, text));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { checks: error.faults.map((says) => ({ check: 'configuration', outcome: 'fault', says })) };
  }
  const redirectUri = new URL(config.issuer).origin + endpointPaths(config.issuer).callback;
  const { secrets, findings } = secretsOf(config);
  // Without its secrets nothing can be put together, and what can be looked at all the same is.
  const local = secrets ? [...(await partsOf(config)), ...findings] : findings;
  const sound = local.every(({ outcome }) => outcome !== 'fault');
  if (seconds === undefined) return { checks: local, config, redirectUri };
  const checks: Check[] = [
    ...(secrets && sound
      ? [providerCheck(config.identityProvider, providerWithin(seconds, config, secrets.clientSecret), redirectUri)]
      : []),
    ...(secrets ? [recordsCheck(config)] : []),
    ...(secrets
      ? config.resources.map((resource, index) =>
          targetCheck(resource, {
            secret: secrets.targetSecrets[index],
            values: secrets.targetValues[index] ?? {},
          }),
        )
      : []),
    publicCheck(config),
  ];
  const line = progress();
  const reached = await runChecks(checks, {
    seconds,
    onProgress: (waiting) => line.show(`waiting for ${waiting.join(', ')}`),
  });
  line.clear();
  return { checks: [...local, ...reached], config, redirectUri };
}

/** What is asked of it ends with its check: a command that has answered must not wait for anybody. */
function providerWithin(seconds: number, { identityProvider: config }: Config, clientSecret: string | undefined) {
  const timeoutSeconds = Math.min(seconds, config.timeoutSeconds ?? 10);
  return providerFrom({ ...config, timeoutSeconds }, clientSecret);
}

const marks = { ok: '✓', warning: '!', fault: '✗' } as const;

function inWords(file: string, { checks, redirectUri }: Report, faults: number, warnings: number): string {
  const width = Math.max(...checks.map(({ check }) => check.length));
  const lines = checks.flatMap(({ check, outcome, says, cure }) => [
    `  ${marks[outcome]} ${check.padEnd(width)}  ${says}`,
    ...(cure === undefined ? [] : [`    ${' '.repeat(width)}  → ${cure}`]),
  ]);
  const sum =
    faults + warnings === 0
      ? 'All is well.'
      : [faults > 0 ? count(faults, 'fault') : '', warnings > 0 ? count(warnings, 'warning') : '']
          .filter((one) => one !== '')
          .join(', ');
  return [
    file,
    '',
    ...lines,
    '',
    ...(redirectUri === undefined ? [] : [`The identity provider must know this redirect URI: ${redirectUri}`]),
    sum,
  ].join('\n');
}

/** Ready to be loaded again: a secret's place is none. What a target is told may be one, where it is written out. */
function masked(config: Config): object {
  const resources = config.resources.map((resource) => ({ ...resource, target: hidden(resource.target) }));
  return withoutNothing({ ...config, resources });
}

function hidden(target: Config['resources'][number]['target']): object {
  const hide = (values: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(
      Object.entries(values).map(([name, one]) => [
        name,
        typeof one === 'object' && one && isReference(one) ? one : '•••',
      ]),
    );
  if ('command' in target) return { ...target, env: hide(target.env) };
  return {
    ...target,
    ...(target.headers && { headers: hide(target.headers) }),
    url: target.url.replace(/\?.*$/, '?•••'),
  };
}

function withoutNothing(value: object): object {
  return JSON.parse(JSON.stringify(value)) as object;
}
