/** What `gatehouse init` has to know, wherever it comes from: flags, or a person at a terminal. */
import { dirname, resolve } from 'node:path';
import type { RecordsConfig } from '../config/records.ts';
import { isLoopbackHost } from '../loopback.ts';
import { type ProviderType, providerForms } from './providers.ts';

export interface Answers {
  /** The public URL. */
  readonly issuer: string;
  /** A URL, or a command line that speaks MCP on its standard streams. */
  readonly target: string;
  readonly path: string;
  readonly name?: string;
  readonly provider: ProviderType;
  /** Of the provider, by the name of the setting. */
  readonly fields: Readonly<Record<string, string>>;
  /** The environment variable with our client's secret; absent: it has none. */
  readonly clientSecretVariable?: string;
  readonly records: RecordsConfig['type'];
  /** File, connection string, URL or table; empty in memory. */
  readonly database: string;
  /** The environment variable with the database's password; absent: it needs none. */
  readonly databasePasswordVariable?: string;
}

export const recordsForms: Readonly<Record<RecordsConfig['type'], { label: string; asks: string; example: string }>> = {
  sqlite: { label: 'SQLite: a file, for one computer', asks: 'File', example: 'gatehouse.sqlite' },
  postgres: {
    label: 'PostgreSQL: for several gateways',
    asks: 'Connection string, without the password',
    example: 'postgres://gatehouse@localhost:5432/gatehouse',
  },
  redis: {
    label: 'Redis or Valkey: for several gateways',
    asks: 'URL, without the password',
    example: 'redis://localhost:6379/0',
  },
  dynamodb: { label: 'DynamoDB: on AWS', asks: 'Table', example: 'gatehouse' },
  memory: { label: 'memory: a restart forgets everybody', asks: '', example: '' },
};

export const defaultClientSecretVariable = 'GATEHOUSE_CLIENT_SECRET';
export const defaultIssuer = 'http://localhost:8080';
export const defaultTarget = 'http://localhost:8000/mcp';

/** Files that init makes, all beside the configuration and called after it. */
export function filesOf(config: string) {
  const base = resolve(config).replace(/\.(ya?ml|json)$/, '');
  return {
    secret: `${base}.secret`,
    /** With a local sign-in alone. */
    clientSecret: `${base}.client.secret`,
    userPool: `${base}.user-pool.json`,
  };
}

/** Right in itself, and completed answer by answer: what is judged is always a whole. */
export function sampleAnswers(config: string, provider: ProviderType = 'oidc'): Answers {
  const { fields, secret } = providerForms[provider];
  return {
    issuer: defaultIssuer,
    target: defaultTarget,
    path: '/mcp',
    provider,
    fields: Object.fromEntries(fields.map(({ setting, example }) => [setting, example])),
    ...(secret === 'needed' && { clientSecretVariable: defaultClientSecretVariable }),
    records: 'sqlite',
    database: databaseDefault('sqlite', config),
  };
}

export function databaseDefault(type: RecordsConfig['type'], config: string): string {
  const { example } = recordsForms[type];
  return type === 'sqlite' ? resolve(dirname(resolve(config)), example) : example;
}

/** Port to listen on: the one in a URL of this computer; behind a front door 8080. */
export function portOf(issuer: string): number {
  const { hostname, port, protocol } = new URL(issuer);
  if (!isLoopbackHost(hostname) || port === '') return isLoopbackHost(hostname) && protocol === 'http:' ? 80 : 8080;
  return Number(port);
}

/** An address as it is; anything else is taken apart as a command, of which no shell reads anything. */
export function targetOf(text: string): string | { readonly command: string; readonly args: readonly string[] } {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text.trim())) return text.trim();
  const [command = '', ...args] = wordsOf(text);
  return { command, args };
}

/** Words between blanks; quotes keep blanks, a backslash keeps what follows, as in a shell. */
export function wordsOf(text: string): readonly string[] {
  const words: string[] = [];
  const parts = text.matchAll(/(?:"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)|([^\s"'\\]+))(\s*)/gs);
  let word = '';
  let open = false;
  for (const [, double, single, escaped, bare, blank] of parts) {
    word += double?.replace(/\\(["\\])/g, '$1') ?? single ?? escaped ?? bare ?? '';
    open = true;
    if (blank !== '') {
      words.push(word);
      word = '';
      open = false;
    }
  }
  return open ? [...words, word] : words;
}
