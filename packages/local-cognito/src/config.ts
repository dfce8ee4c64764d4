/** The pool's configuration: one JSON file, one schema, every fault reported at once with its path. */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';

export const STANDARD_SCOPES = ['openid', 'email', 'phone', 'profile', 'aws.cognito.signin.user.admin'] as const;

/** The attributes the scope `profile` releases; `custom:` ones go with them. */
export const PROFILE_ATTRIBUTES: readonly string[] =
  'name family_name given_name middle_name nickname preferred_username profile picture website gender birthdate zoneinfo locale updated_at'.split(
    ' ',
  );
const ATTRIBUTES = [...PROFILE_ATTRIBUTES, 'address', 'phone_number', 'phone_number_verified'];

const MAX_USERS = 10_000;
const scopeName = z.string().regex(/^[\x21\x23-\x2e\x30-\x5b\x5d-\x7e]+$/, 'visible ASCII without / " and \\');
const Text = z.string().min(1).max(2048);
const Seconds = z.int();

const ResourceServer = z.strictObject({
  identifier: z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'visible ASCII without " and \\'),
  name: Text.optional(),
  scopes: z
    .array(
      z.union([
        scopeName.transform((name) => ({ name })),
        z.strictObject({ name: scopeName, description: Text.optional() }).transform(({ name }) => ({ name })),
      ]),
    )
    .max(100)
    .default([]),
});

const Client = z.strictObject({
  clientId: z.string().regex(/^[\w+]{1,128}$/, 'letters, digits, _ and +, at most 128'),
  clientName: Text.optional(),
  clientSecret: z
    .string()
    .regex(/^[\w+]{24,64}$/, 'letters, digits, _ and +, 24 to 64 of them')
    .optional(),
  callbackUrls: z.array(Text).max(100).default([]),
  logoutUrls: z.array(Text).max(100).default([]),
  allowedOAuthFlows: z
    .array(z.enum(['code', 'implicit', 'client_credentials']))
    .min(1)
    .default(['code']),
  allowedScopes: z.array(Text).min(1).default(['openid', 'email', 'profile']),
  accessTokenValiditySeconds: Seconds.min(300).max(86_400).default(3600),
  idTokenValiditySeconds: Seconds.min(300).max(86_400).default(3600),
  refreshTokenValiditySeconds: Seconds.min(3600).max(315_360_000).default(2_592_000),
  refreshTokenRotation: z.strictObject({ retryGracePeriodSeconds: Seconds.min(0).max(60).default(0) }).optional(),
});

const Group = z.strictObject({
  name: z.string().regex(/^\S{1,128}$/, 'no spaces, at most 128 characters'),
  description: Text.optional(),
  precedence: z.int().min(0).optional(),
  roleArn: Text.optional(),
});

const User = z.strictObject({
  username: z
    .string()
    .regex(/^[^\s\p{C}]{1,128}$/u, 'no spaces or control characters, at most 128')
    .optional(),
  sub: z.uuid().optional(),
  email: z.email().max(254),
  emailVerified: z.boolean().default(true),
  password: z.string().min(1).max(256).optional(),
  passwordHash: z
    .string()
    .regex(/^scrypt\$16384\$8\$1\$[\w-]{22}\$[\w-]{43}$/, 'as `local-cognito --hash` prints it')
    .optional(),
  groups: z.array(z.string()).default([]),
  attributes: z
    .record(z.string().refine(isAttribute, 'neither a standard attribute nor custom:…'), z.string().max(2048))
    .default({}),
  confirmed: z.boolean().default(true),
});

const PasswordPolicy = z.strictObject({
  minimumLength: z.int().min(6).max(99).default(8),
  requireLowercase: z.boolean().default(true),
  requireUppercase: z.boolean().default(true),
  requireNumbers: z.boolean().default(true),
  requireSymbols: z.boolean().default(true),
});

const ConfigSchema = z
  .strictObject({
    $schema: z.string().optional(),
    poolId: z
      .string()
      .regex(/^[a-z]{2,}(-[a-z]+)+-\d_[A-Za-z0-9]{1,45}$/, 'of the form eu-central-1_Local0001')
      .default('eu-central-1_Local0001'),
    usernameAttributes: z.array(z.literal('email')).max(1).default([]),
    selfSignUp: z.boolean().default(true),
    passwordPolicy: PasswordPolicy.prefault({}),
    groups: z.array(Group).max(1000).default([]),
    users: z.array(User).max(MAX_USERS).default([]),
    resourceServers: z.array(ResourceServer).max(100).default([]),
    clients: z.array(Client).min(1, 'a pool without an app client can sign nobody in').max(1000),
  })
  .superRefine((config, context) => {
    for (const fault of crossFaults(config)) {
      context.addIssue({ code: 'custom', path: fault.at, message: fault.message });
    }
  });

/** What one writes in the file; see README.md, "The configuration". */
export type Config = z.input<typeof ConfigSchema>;
/** The same with every default filled in. */
export type PoolConfig = z.output<typeof ConfigSchema>;
export type ClientConfig = PoolConfig['clients'][number];
export type UserConfig = PoolConfig['users'][number];

/** Every fault of a configuration, one a line, each with its path. */
export class ConfigError extends Error {
  readonly faults: readonly string[];
  constructor(source: string, faults: readonly string[]) {
    super(`${source}: ${faults.length === 1 ? 'one fault' : `${faults.length} faults`}\n  ${faults.join('\n  ')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** Checks a configuration object. @throws ConfigError naming every fault. */
export function parseConfig(value: unknown, source = 'configuration'): PoolConfig {
  const result = ConfigSchema.safeParse(value);
  if (result.success) return result.data;
  throw new ConfigError(
    source,
    result.error.issues.map((issue) => `${formatPath(issue.path)}: ${issue.message}`),
  );
}

/** Reads and checks a configuration file. @throws ConfigError when it is missing, not JSON, or at fault. */
export async function loadConfig(path: string): Promise<PoolConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new ConfigError(path, [missing ? 'no such file; `local-cognito --init` writes one' : String(error)]);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(path, [`not JSON: ${(error as Error).message}`]);
  }
  return parseConfig(value, path);
}

type Fault = { at: (string | number)[]; message: string };

function* crossFaults(config: PoolConfig): Generator<Fault> {
  yield* repeated(config.groups, 'groups', 'name', (group) => group.name);
  yield* repeated(config.clients, 'clients', 'clientId', (client) => client.clientId);
  yield* repeated(config.resourceServers, 'resourceServers', 'identifier', (server) => server.identifier);
  yield* repeated(config.users, 'users', 'username', (user) => user.username?.toLowerCase());
  yield* repeated(config.users, 'users', 'email', (user) => user.email.toLowerCase());
  yield* repeated(config.users, 'users', 'sub', (user) => user.sub);

  const groups = new Set(config.groups.map((group) => group.name));
  const scopes = new Set<string>(STANDARD_SCOPES);
  for (const { identifier, scopes: names } of config.resourceServers) {
    for (const { name } of names) scopes.add(`${identifier}/${name}`);
  }
  const byEmail = config.usernameAttributes.includes('email');
  for (const [index, user] of config.users.entries()) {
    const at = (key: string) => ['users', index, key];
    if (!byEmail && !user.username)
      yield { at: at('username'), message: 'required unless usernameAttributes has "email"' };
    if ((user.password === undefined) === (user.passwordHash === undefined)) {
      yield { at: at('password'), message: 'give either password or passwordHash' };
    }
    for (const [position, group] of user.groups.entries()) {
      if (!groups.has(group)) yield { at: [...at('groups'), position], message: `no group named "${group}"` };
    }
  }
  for (const [index, client] of config.clients.entries()) yield* clientFaults(client, index, scopes);
}

function* clientFaults(client: ClientConfig, index: number, scopes: Set<string>): Generator<Fault> {
  const at = (key: string) => ['clients', index, key];
  const machine = client.allowedOAuthFlows.includes('client_credentials');
  if (machine && client.allowedOAuthFlows.length > 1) {
    yield { at: at('allowedOAuthFlows'), message: 'client_credentials cannot be combined with another flow' };
  }
  if (machine && !client.clientSecret) yield { at: at('clientSecret'), message: 'client_credentials needs a secret' };
  if (!machine && client.callbackUrls.length === 0) yield { at: at('callbackUrls'), message: 'at least one is needed' };
  for (const [position, scope] of client.allowedScopes.entries()) {
    const standard = STANDARD_SCOPES.some((name) => name === scope);
    if (!scopes.has(scope)) {
      yield {
        at: [...at('allowedScopes'), position],
        message: `"${scope}" is neither standard nor of a resource server`,
      };
    } else if (machine && standard) {
      yield { at: [...at('allowedScopes'), position], message: 'client_credentials takes resource server scopes only' };
    }
  }
  for (const key of ['callbackUrls', 'logoutUrls'] as const) {
    for (const [position, url] of client[key].entries()) {
      const message = urlFault(url);
      if (message) yield { at: [...at(key), position], message };
    }
  }
}

function isAttribute(name: string): boolean {
  return ATTRIBUTES.includes(name) || /^custom:[\w-]{1,20}$/.test(name);
}

function urlFault(text: string): string | undefined {
  if (!URL.canParse(text)) return 'not an absolute URL';
  const url = new URL(text);
  if (text.includes('#')) return 'must not have a fragment';
  if (/[\s\p{C}]/u.test(text)) return 'must not have spaces or control characters';
  if (url.protocol === 'http:' && !['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)) {
    return 'http is for localhost only; use https';
  }
  if (['javascript:', 'data:', 'vbscript:', 'file:', 'blob:'].includes(url.protocol)) return 'a scheme no app can own';
  return undefined;
}

function* repeated<T>(items: T[], list: string, key: string, of: (item: T) => string | undefined): Generator<Fault> {
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const value = of(item);
    if (value === undefined) continue;
    if (seen.has(value)) yield { at: [list, index, key], message: `"${value}" is there twice` };
    seen.add(value);
  }
}

function formatPath(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.replace(/^\./, '') || '(root)';
}
