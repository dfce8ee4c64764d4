/** The values a configuration is made of, each with words for what is wrong with it. */
import { publicUrlFaults } from '@mcp-gatehouse/auth';
import * as z from 'zod';
import { isLoopbackHost } from '../loopback.ts';

/** A secret is never written in the configuration, only where it is found. */
export const secretReference = z
  .union([z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) })], {
    error: 'must be { "env": "NAME" } or { "file": "path" }: secrets never stand in the configuration itself',
  })
  .describe('Where a secret is found: an environment variable, or a file whose last newline is dropped.');

export type SecretReference = z.infer<typeof secretReference>;

export const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an absolute http or https URL' });
/** A place of the operator's own: the value is not shown, because a password in it would be. */
export const targetUrl = httpUrl.refine((text) => {
  if (!URL.canParse(text)) return true; // said already
  const { username, password, hash } = new URL(text);
  return username === '' && password === '' && hash === '';
}, 'must have no user and no fragment');
export const openTargetUrl = targetUrl.refine(
  (text) => !URL.canParse(text) || new URL(text).search === '',
  'must have no query',
);
/** An identity provider: over TLS, or on this computer. */
export const providerUrl = httpUrl.refine((text) => {
  if (!URL.canParse(text)) return true; // said already
  const { protocol, hostname, search, hash } = new URL(text);
  return (protocol === 'https:' || isLoopbackHost(hostname)) && search === '' && hash === '';
}, 'must be https (plain http is for localhost), without query and fragment');
export const providerOrigin = providerUrl.refine(
  (text) => !URL.canParse(text) || [new URL(text).origin, `${new URL(text).origin}/`].includes(text),
  'must be an origin such as https://login.example.com, without a path',
);
/** What clients compare byte for byte. */
export const publicUrl = z.string().superRefine((text, context) => {
  for (const fault of publicUrlFaults(text)) context.addIssue({ code: 'custom', message: fault });
});
export const path = z
  .string()
  .regex(/^(\/[A-Za-z0-9._~-]+)+\/?$/, 'must be a path such as /ankify/mcp, of plain characters')
  .refine((text) => !/(^|\/)\.{1,2}(\/|$)/.test(text), 'must hold no dot segments');
export const seconds = z.int().min(1);

const names = z.array(z.string().min(1).max(256));

/** Who may do what. */
export const roleRules = z.strictObject({
  groups: z
    .record(z.string().min(1), names)
    .optional()
    .describe('Group at the identity provider, to the roles its members have.'),
  users: z
    .record(z.string().min(1), names)
    .optional()
    .describe('User (the `sub` of our tokens), to the roles they have besides.'),
  everyone: names.optional().describe('Roles of everybody who signs in.'),
  roles: z
    .record(z.string().min(1), names)
    .describe('Role, to the permissions that come with it, such as `read:schemas`.'),
});
