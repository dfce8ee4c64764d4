/** The MCP server behind a resource, as the configuration names it: an HTTP endpoint, or a command that speaks stdio. */
import * as z from 'zod';
import { injectionFault } from '../proxy/injected-headers.ts';
import { seconds, secretReference, targetUrl } from './values.ts';

/** A value that may be a secret: written out, or where it is found. */
const value = z
  .union([z.string().max(8192), secretReference], { error: 'must be text, { "env": "NAME" } or { "file": "path" }' })
  .describe('Text, or where a secret is found.');

const pem = z.string().min(1).describe('Path of a PEM file.');

const httpTarget = z.strictObject({
  url: targetUrl.describe('Its MCP endpoint; of HTTP+SSE, where the stream is opened.'),
  transport: z
    .enum(['streamable-http', 'sse'])
    .optional()
    .describe('`sse` is HTTP+SSE of MCP 2024-11-05; streamable-http unless given.'),
  tls: z
    .strictObject({
      ca: pem.optional().describe('PEM of who signed its certificate, in place of the well-known ones.'),
      cert: pem.optional().describe('PEM of our own certificate, where it asks for one.'),
      key: pem.optional().describe('PEM of that certificate’s key.'),
      serverName: z.string().min(1).optional().describe('The name its certificate is for, where it is not the URL’s.'),
      dangerouslyAcceptAnyCertificate: z
        .boolean()
        .optional()
        .describe('Whoever is between us and the target can read and change everything.'),
    })
    .optional()
    .describe('For https targets whose certificate no public authority signed, or that ask for ours.'),
  headers: z
    .record(z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'is no name of a header'), value)
    .optional()
    .describe('Headers of every request to it, such as an API key; what a client sends under these names is dropped.'),
  connectSeconds: seconds.max(60).optional().describe('For a connection; 5.'),
  answerSeconds: seconds.max(3600).optional().describe('Until an answer begins; 300.'),
  idleSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .optional()
    .describe('Between two bytes of an answer; 0, the default: any time.'),
  connections: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe('Calls at once; streams opened by GET have their own. As many as clients need unless given.'),
  healthCheck: z
    .strictObject({
      path: z
        .string()
        .regex(/^\/[\x21-\x7e]*$/, 'must be a path')
        .optional()
        .describe('Asked by GET; below 500 is alive. Unless given, that it can be connected to.'),
      everySeconds: seconds.max(3600).default(10).describe('How often it is asked; 10.'),
    })
    .optional()
    .describe('Looks whether it is alive; while it is not, calls to it are refused at once, and `/readyz` names it.'),
});

const stdioTarget = z.strictObject({
  command: z
    .string()
    .min(1)
    .describe('The program; no shell reads it. It runs as the gateway’s own user, and is trusted like the gateway.'),
  args: z.array(z.string()).default([]).describe('Its arguments, one by one.'),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is no name of an environment variable'), value)
    .default({})
    .describe(
      'Its environment beside HOME, LANG, PATH, SHELL, TMPDIR, TZ, USER: nothing else of ours reaches it. GATEHOUSE_SUBJECT and GATEHOUSE_IDENTITY_… name its person where it has one.',
    ),
  cwd: z.string().min(1).optional().describe('Its working directory; the gateway’s unless given.'),
  processes: z
    .enum(['perUser', 'shared'])
    .default('perUser')
    .describe(
      'A process for each session of MCP before 2026-07-28 and one for each person since, or one for everybody, which must then keep people apart by itself.',
    ),
  maxProcesses: z.int().min(1).max(10_000).optional().describe('At once; 50 unless given.'),
  idleSeconds: seconds.max(86_400).optional().describe('A process that nobody uses ends after so long; 300.'),
  startSeconds: seconds.max(600).optional().describe('How long it may take to answer first; 30.'),
});

/** An address alone is an endpoint with no settings. */
export const target = z
  .union([targetUrl.transform((url): z.infer<typeof httpTarget> => ({ url })), httpTarget, stdioTarget])
  .describe('The MCP server: the URL of its endpoint, an endpoint with settings, or a command that speaks stdio.');

export type TargetConfig = z.infer<typeof target>;
export type HttpTargetConfig = z.infer<typeof httpTarget>;
export type StdioTargetConfig = z.infer<typeof stdioTarget>;

export function isStdio(config: TargetConfig): config is StdioTargetConfig {
  return 'command' in config;
}

/** What may be said of a target on a page and in a log: no query and no arguments, which may hold keys. */
export function describeTarget(config: TargetConfig): string {
  if (isStdio(config)) return config.command.slice(0, 200);
  const { origin, pathname } = new URL(config.url);
  return origin + pathname;
}

/** What the caller's identity reaches a target as. */
export const identityForm = z
  .union([
    z.enum(['headers', 'none', 'providerToken']),
    z.strictObject({
      assertion: z.strictObject({
        audience: z.string().min(1).max(1024).describe('What the assertion says in `aud`; of no resource.'),
      }),
    }),
  ])
  .default('headers')
  .describe(
    'How the target learns who calls: `headers` (x-gatehouse-*), `none`, a signed JWT of ours as its bearer token (`{ assertion: { audience } }`), or `providerToken`: the identity provider’s access token. Never the client’s token.',
  );

export type IdentityForm = z.infer<typeof identityForm>;

/** What one value alone cannot show, each as the rest of a path and the words. */
export function targetFaults(config: TargetConfig): readonly string[] {
  if (isStdio(config)) return [];
  const { url, tls, headers = {} } = config;
  const faults: string[] = [];
  if (tls && new URL(url).protocol !== 'https:') faults.push('tls: the target is not https');
  for (const name of Object.keys(headers)) {
    // Of the name alone: the values may be secrets, and are looked at where they are read.
    const fault = injectionFault(name, '-');
    if (fault !== undefined) faults.push(`headers.${name}: ${fault}`);
    if (Object.keys(headers).some((other) => other < name && other.toLowerCase() === name.toLowerCase())) {
      faults.push(`headers.${name}: stands twice, in other letters of case`);
    }
  }
  return faults;
}
