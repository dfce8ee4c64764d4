/** The configuration that `gatehouse init` writes: every setting with what it is for, and useful ones switched off. */
import { basename } from 'node:path';
import { stringify } from 'yaml';
import { ConfigError, checkConfig, parseConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { providerFrom } from '../provider-from.ts';
import { type Answers, filesOf, portOf, targetOf } from './answers.ts';
import { providerForms } from './providers.ts';

/** Of the user pool on this computer, with a local sign-in. */
export const localPool = { id: 'eu-central-1_Gatehouse1', clientId: 'gatehouse' } as const;

/** YAML with comments. `# ` begins words, `#name:` a setting that is switched off. */
export function configurationText(answers: Answers, file: string): string {
  const { issuer, path } = answers;
  const origin = URL.canParse(issuer) ? new URL(issuer).origin : issuer;
  return `# Gatehouse: OAuth 2.1 in front of an MCP server.
#
#   gatehouse check --config ${comment(basename(file))}    tries all of this
#   gatehouse serve --config ${comment(basename(file))}    runs it
#
# A line that begins with # and a name, such as "#name: …", is a setting that is
# switched off: take away the # for it to count. docs/configuration.md has all of
# them. Secrets never stand here, only where they are found.

# The public URL, as clients see it: https, or http on this computer. Tokens name
# it, so another one later means that everybody signs in again.
issuer: ${scalar(issuer)}

# Where the gateway listens. 127.0.0.1 is this computer alone, such as behind a
# front door on it; in a container it is 0.0.0.0.
listen:
  port: ${URL.canParse(issuer) ? portOf(issuer) : 8080}
  host: 127.0.0.1
  # At the end: seconds in which /readyz says no already and calls still come.
  #drainDelaySeconds: 10

# The MCP servers behind the gateway; each has a path, or a url of its own.
resources:
  # Clients connect to ${comment(origin + path)}
  - path: ${scalar(path)}
    # What people call it; stands on the consent page.
    ${answers.name === undefined ? '#name: Example' : `name: ${scalar(answers.name)}`}
${targetText(answers.target)}
    # How the target learns who calls: headers (x-gatehouse-subject and others),
    # none, providerToken, or a signed JWT of ours.
    #identity: none
    # What a client may be allowed, in words: "It will be able to …".
    #scopes: { mcp: use its tools on your behalf, mcp:write: change things on your behalf }
    # Tools that need more than a token: a scope, a permission, a role.
    #tools: { 'delete_*': { role: admin }, '*': { scope: mcp } }
    # How often: 60 calls a minute of one person with one client, 20 at once.
    #rateLimits: [{ per: [user, client], burst: 20, perMinute: 60 }]
    # A comment into silent event streams, for front doors that cut them.
    #keepAliveSeconds: 20

# Who signs people in. Enter this redirect URI there:
#   ${comment(`${issuer}/callback`)}
# ${providerForms[answers.provider].register}
identityProvider:
${providerText(answers, file)}

# Where grants and keys are kept. docs/records.md says what is in there.
records:
${recordsText(answers)}

# What seals and signs everything here, at least 32 random bytes. Lost, everybody
# signs in again; known to somebody, they can make credentials. A second one, and
# then the first taken away, exchanges it: docs/guides/rotating-secrets.md.
secrets:
  - id: k1
    secret:
      file: ${scalar(filesOf(file).secret)}

# Who may do what: groups at the identity provider to roles, roles to permissions.
#roles: { groups: { staff: [admin] }, roles: { admin: ['delete:files'] } }

# Who may come in at all; everybody whom the identity provider signs in unless given.
#people: { groups: [staff], emailDomains: [example.com] }

# How clients that register themselves are kept: stateless (in their own id),
# stored (so that they can be listed and ended), or off.
#registration: stored

# Clients whose id is the address of a document about them (CIMD).
#metadataDocuments: {}

# Where answers may go for clients that are not listed below; anywhere unless given.
#redirectHosts: [claude.ai, localhost, 127.0.0.1]

# Clients that are known beforehand, such as a machine that acts for itself.
#clients: [{ id: nightly, secret: { env: GATEHOUSE_NIGHTLY_SECRET }, grantTypes: [client_credentials] }]

# How long things live, in seconds.
#lifetimes: { accessTokenSeconds: 900, refreshIdleSeconds: 2592000, grantSeconds: 31536000 }

# Web pages elsewhere whose browsers may call the MCP endpoints.
#allowedOrigins: [https://app.example.com]

# Figures for Prometheus, on a port of their own.
#metrics: { port: 9090 }

# How long security-relevant events are kept for gatehouse audit; false: not at all.
#audit: { records: { days: 365 } }
`;
}

function targetText(text: string): string {
  const target = targetOf(text);
  if (typeof target === 'string') {
    return `    # The MCP server itself, as this computer reaches it.
    target: ${scalar(target)}
    # Sent to the target as x-gatehouse-secret, so that it can refuse everybody
    # who does not come through the gateway. 16 characters or more.
    #targetSecret: { env: GATEHOUSE_TARGET_SECRET }`;
  }
  return `    # The program that speaks MCP on its standard streams; no shell reads it.
    target:
      command: ${scalar(target.command)}
      args: ${JSON.stringify(target.args)}
      # Its environment beside PATH, HOME, LANG and TMPDIR.
      #env: { API_KEY: { env: API_KEY } }
      # perUser: a process for each person. shared: one for everybody.
      #processes: shared`;
}

function providerText({ provider, fields, clientSecretVariable }: Answers, file: string): string {
  if (provider === 'local') {
    const { clientSecret } = filesOf(file);
    return `  # A user pool on this computer (local-cognito), for trying things out.
  type: cognito
  userPoolId: ${localPool.id}
  domain: http://localhost:8081
  issuerOrigin: http://localhost:8081
  clientId: ${localPool.clientId}
  clientSecret:
    file: ${scalar(clientSecret)}
  name: the local user pool`;
  }
  const form = providerForms[provider];
  return [
    `  type: ${provider}`,
    ...form.fields.flatMap(({ setting, says }) => [`  # ${says}`, `  ${setting}: ${scalar(fields[setting] ?? '')}`]),
    ...(form.secret === 'none'
      ? []
      : [
          '  # Its secret, from the environment; { file: path } reads it from a file.',
          clientSecretVariable === undefined
            ? '  #clientSecret: { env: GATEHOUSE_CLIENT_SECRET }'
            : `  clientSecret:\n    env: ${scalar(clientSecretVariable)}`,
        ]),
    ...form.further.flatMap(([says, setting]) => [`  # ${says}`, `  #${setting}`]),
  ].join('\n');
}

function recordsText({ records, database, databasePasswordVariable }: Answers): string {
  const password =
    databasePasswordVariable === undefined
      ? '  # Its password, from the environment.\n  #password: { env: GATEHOUSE_DATABASE_PASSWORD }'
      : `  # Its password, from the environment.\n  password:\n    env: ${scalar(databasePasswordVariable)}`;
  switch (records) {
    case 'memory':
      return '  # A restart forgets everybody: for trying things out.\n  type: memory';
    case 'sqlite':
      return `  # One file, for the gateways of one computer; made at the first start.
  type: sqlite
  file: ${scalar(database)}`;
    case 'postgres':
      return `  # The primary, never a replica; the table is made at the first start.
  type: postgres
  connectionString: ${scalar(database)}
${password}
  # PEM of who signed the server’s certificate, with sslmode=verify-full above.
  #certificateAuthorityFile: /etc/ssl/certs/database.pem`;
    case 'redis':
      return `  # It must keep what it acknowledges (appendonly yes) and evict nothing.
  type: redis
  url: ${scalar(database)}
${password}
  # Whether the server is a cluster.
  #cluster: true`;
    case 'dynamodb':
      return `  # gatehouse records create makes it.
  type: dynamodb
  table: ${scalar(database)}
  # AWS_REGION unless given.
  #region: eu-central-1`;
  }
}

/** The text, checked as `serve` will check it. Throws a `ConfigError`; its faults name the settings. */
export function checkedConfiguration(answers: Answers, file: string): { text: string; config: Config } {
  const source = 'What was answered';
  const text = configurationText(answers, file);
  const config = checkConfig(source, parseConfig(source, text));
  // What only the provider's preset can judge: the form of a tenant, of a domain.
  providerFrom(config.identityProvider, 'not the secret');
  return { text, config };
}

/** The first thing that is wrong with `setting` and what is below it, in words; undefined: nothing. */
export function faultAt(setting: string, answers: Answers, file: string): string | undefined {
  try {
    checkedConfiguration(answers, file);
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const fault = error.faults.find((one) => one.startsWith(setting));
    return fault?.slice(fault.indexOf(': ') + 2);
  }
}

/** On one line, whatever it holds: quoted where YAML would read something else. JSON's strings are YAML's, too. */
function scalar(text: string): string {
  if (!/^[\x20-\x7e\p{L}\p{N}]*$/u.test(text)) return JSON.stringify(text);
  return stringify(text, { lineWidth: 0 }).replace(/\n$/, '');
}

/** In a comment nothing ends the line. */
function comment(text: string): string {
  return text.replace(/[^\x20-\x7e\p{L}\p{N}]/gu, '');
}
