/** `gatehouse init`: a few answers, from a person or from flags, to a commented configuration that is ready to be tried. */
import { existsSync } from 'node:fs';
import { endpointPaths } from '@mcp-gatehouse/auth';
import { type Answers, databaseDefault, defaultIssuer, filesOf, recordsForms, sampleAnswers } from '../init/answers.ts';
import { checkedConfiguration } from '../init/configuration.ts';
import { demoPerson, thereAlready, type Written, writeFiles } from '../init/files.ts';
import { type ProviderType, providerForms, providerTypes } from '../init/providers.ts';
import type { Given } from '../init/questions.ts';
import { isLoopbackHost } from '../loopback.ts';
import { exitCodes, exitCodesHelp, readArguments, say, sayJson, UsageError } from './usage.ts';

export const initHelp = `gatehouse init – a few questions, and a configuration

  gatehouse init
      At a terminal: asks what to protect, who signs people in and where records
      are kept; writes gatehouse.yaml with every setting explained, a secret
      beside it that only you can read, and says what to do next.

  gatehouse init mcp.yaml --yes --target http://localhost:8000/mcp \\
      --issuer https://mcp.example.com --provider google \\
      --client-id 1234-example.apps.googleusercontent.com
      The same without a question. What is missing is named.

What
  --target TEXT        URL of the MCP server, or a command that speaks stdio
  --issuer URL         public URL of the gateway
  --path PATH          public path of the MCP server                   (/mcp)
  --name NAME          what people call it
  --provider NAME      ${providerTypes.slice(0, 6).join(', ')},
                       ${providerTypes.slice(6).join(', ')}
  --records NAME       sqlite, postgres, redis, dynamodb, memory     (sqlite)
  --database PLACE     file, connection string, URL or table, without password
  --database-password-env NAME
                       environment variable that will hold its password

Of the identity provider
  --client-id ID       our client there
  --client-secret-env NAME
                       environment variable that will hold its secret
                                                   (GATEHOUSE_CLIENT_SECRET)
  --public-client      it has no secret (cognito, oidc)
  --user-pool-id ID    cognito
  --domain DOMAIN      cognito, auth0, okta
  --tenant ID          entra
  --base-url URL       keycloak
  --realm NAME         keycloak
  --provider-issuer URL
                       oidc: as in its discovery document

Options
  --yes                ask nothing
  --force              replace a configuration that is there; a secret that is
                       there is always kept
  --json               ask nothing; one JSON line: { config, files: [{ file,
                       outcome: written | kept }], redirectUri, register,
                       variables: [NAME], next: [COMMAND] }
  --help               this text

${exitCodesHelp}
`;

/** Resolves to the exit code. */
export async function initCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    say(initHelp);
    return exitCodes.done;
  }
  const [file = 'gatehouse.yaml', ...others] = positionals;
  if (others.length > 0) throw new UsageError(`init writes one file: what is "${others[0]}"?`);
  const given = givenBy(values);
  const force = values.force ?? false;
  // Before anybody answers a question for nothing.
  if (existsSync(file) && !force) throw thereAlready(file);
  const asks = !values.yes && !values.json && process.stdin.isTTY === true && process.stderr.isTTY === true;
  const answers = asks
    ? await (await import('../init/questions.ts')).askAnswers(given, file)
    : answersFrom(given, file, values['public-client'] ?? false);
  if (answers.provider === 'local' && !isLoopbackHost(hostOf(answers.issuer))) {
    throw new UsageError(
      'A local user pool is for this computer: --issuer http://localhost:8080, or another --provider.',
    );
  }
  const { text, config } = checkedConfiguration(answers, file);
  const redirectUri = new URL(config.issuer).origin + endpointPaths(config.issuer).callback;
  const files = writeFiles(file, text, answers, { redirectUri, force });
  const report = {
    config: file,
    files,
    redirectUri,
    register: providerForms[answers.provider].register,
    variables: [answers.clientSecretVariable, answers.databasePasswordVariable].filter((one) => one !== undefined),
    next: nextOf(answers, file),
  };
  if (values.json) sayJson(report);
  else say(inWords(report, files, answers.provider === 'local'));
  return exitCodes.done;
}

function hostOf(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).hostname : '';
}

function nextOf({ provider }: Answers, file: string): readonly string[] {
  const name = /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;
  const pool = filesOf(file).userPool;
  return [
    ...(provider === 'local'
      ? [`npx local-cognito --config '${pool}' --port 8081 --origin http://localhost:8081`]
      : []),
    `gatehouse check --config ${name}`,
    `gatehouse serve --config ${name}`,
  ];
}

interface Report {
  readonly redirectUri: string;
  readonly register: string;
  readonly variables: readonly string[];
  readonly next: readonly string[];
}

function inWords(report: Report, files: readonly Written[], local: boolean): string {
  const { redirectUri, register, variables, next } = report;
  const lines = files.map(({ file, outcome }) => (outcome === 'kept' ? `Kept     ${file}` : `Written  ${file}`));
  return [
    ...lines,
    '',
    ...(local
      ? [`People sign in as ${demoPerson.username}, with the password ${demoPerson.password}.`, '']
      : ['Enter this redirect URI at the identity provider:', `  ${redirectUri}`, `  ${register}`, '']),
    ...(variables.length > 0
      ? ['Set, in the environment of the gateway:', ...variables.map((name) => `  export ${name}='…'`), '']
      : []),
    local ? 'Then, the first in a terminal of its own:' : 'Then:',
    ...next.map((command) => `  ${command}`),
  ].join('\n');
}

type Values = ReturnType<typeof parse>['values'];

function givenBy(values: Values): Given {
  const { provider, records } = values;
  if (provider !== undefined && !isProvider(provider)) {
    throw new UsageError(`--provider takes ${providerTypes.join(', ')}.`);
  }
  if (records !== undefined && !Object.hasOwn(recordsForms, records)) {
    throw new UsageError(`--records takes ${Object.keys(recordsForms).join(', ')}.`);
  }
  const form = provider === undefined ? undefined : providerForms[provider];
  if (values['public-client'] && (values['client-secret-env'] !== undefined || form?.secret === 'needed')) {
    throw new UsageError('--public-client is for cognito and oidc, and stands without --client-secret-env.');
  }
  const fields: Record<string, string> = {};
  for (const { flag, setting } of Object.values(providerForms).flatMap((one) => one.fields)) {
    const value = values[flag as 'client-id'];
    if (value === undefined) continue;
    if (form && !form.fields.some((field) => field.flag === flag)) {
      throw new UsageError(`--${flag} is no setting of --provider ${provider}.`);
    }
    if (!form || form.fields.some((field) => field.setting === setting && field.flag === flag)) fields[setting] = value;
  }
  return {
    target: values.target,
    issuer: values.issuer,
    path: values.path,
    name: values.name,
    provider: provider as ProviderType | undefined,
    fields,
    clientSecretVariable: values['client-secret-env'],
    records: records as Answers['records'] | undefined,
    database: values.database,
    databasePasswordVariable: values['database-password-env'],
  };
}

function isProvider(text: string): text is ProviderType {
  return Object.hasOwn(providerForms, text);
}

/** Nobody is asked: every flag that is missing is named at once. */
function answersFrom(given: Given, file: string, publicClient: boolean): Answers {
  const { provider, fields = {} } = given;
  const form = provider && providerForms[provider];
  const missing = [
    ...(given.target === undefined ? ['--target: URL of the MCP server, or its command'] : []),
    ...(given.issuer === undefined && provider !== 'local' ? ['--issuer: public URL of the gateway'] : []),
    ...(provider === undefined ? [`--provider: ${providerTypes.join(', ')}`] : []),
    ...(form?.fields ?? [])
      .filter(({ setting }) => fields[setting] === undefined)
      .map(({ flag, asks, example }) => `--${flag}: ${asks}, such as ${example}`),
    ...(['postgres', 'redis', 'dynamodb'].includes(given.records ?? '') && given.database === undefined
      ? [`--database: ${recordsForms[given.records ?? 'sqlite'].asks}`]
      : []),
  ];
  if (missing.length > 0 || provider === undefined) {
    throw new UsageError(`There is no terminal to ask at, so these are missing:\n  ${missing.join('\n  ')}`);
  }
  const records = given.records ?? 'sqlite';
  const { clientSecretVariable: _, ...sample } = sampleAnswers(file, provider);
  const secret = given.clientSecretVariable ?? (publicClient ? undefined : 'GATEHOUSE_CLIENT_SECRET');
  const { target = sample.target, issuer = defaultIssuer, path = sample.path, name, databasePasswordVariable } = given;
  return {
    target,
    issuer,
    path,
    ...(name !== undefined && { name }),
    provider,
    fields,
    ...(form?.secret !== 'none' && secret !== undefined && { clientSecretVariable: secret }),
    records,
    database: given.database ?? databaseDefault(records, file),
    ...(databasePasswordVariable !== undefined && { databasePasswordVariable }),
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  return readArguments({
    args: [...args],
    allowPositionals: true,
    options: {
      target: text,
      issuer: text,
      path: text,
      name: text,
      provider: text,
      records: text,
      database: text,
      'database-password-env': text,
      'client-id': text,
      'client-secret-env': text,
      'public-client': flag,
      'user-pool-id': text,
      domain: text,
      tenant: text,
      'base-url': text,
      realm: text,
      'provider-issuer': text,
      yes: { type: 'boolean', short: 'y' },
      force: flag,
      json: flag,
      help: { type: 'boolean', short: 'h' },
    },
  });
}
