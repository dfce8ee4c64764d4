/** Where grants and keys are kept, as the configuration names it. */
import * as z from 'zod';
import { httpUrl, secretReference } from './values.ts';

const milliseconds = z.int().min(50).max(60_000);

export const records = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('memory') }),
  z.strictObject({
    type: z.literal('sqlite'),
    file: z.string().min(1).describe('The database; its folder is made if it is missing.'),
  }),
  z.strictObject({
    type: z.literal('postgres'),
    connectionString: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must be postgres://user@host:5432/database')
      .refine((text) => !URL.canParse(text) || new URL(text).password === '', 'must hold no password: see `password`')
      .describe('`postgres://user@host:5432/database?sslmode=verify-full`; the primary, never a replica.'),
    password: secretReference.optional(),
    certificateAuthorityFile: z.string().min(1).optional().describe('PEM of who signed the server’s certificate.'),
    table: z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,39}$/, 'must be lower-case letters, digits and underscores')
      .optional()
      .describe('gatehouse_records unless given; made at the first use.'),
    maxConnections: z.int().min(1).max(1000).optional().describe('Of each process; 10.'),
    connectTimeoutMs: milliseconds.optional().describe('For a connection, in milliseconds; 2000.'),
    statementTimeoutMs: milliseconds.optional().describe('For a statement, in milliseconds; 3000.'),
  }),
  z.strictObject({
    type: z.literal('redis'),
    url: z
      .string()
      .regex(/^rediss?:\/\//, 'must be redis://host:6379 or rediss://')
      .refine((text) => !URL.canParse(text) || new URL(text).password === '', 'must hold no password: see `password`')
      .describe('`redis://host:6379/0`, or `rediss://` for TLS; of a cluster any of its nodes.'),
    password: secretReference.optional(),
    cluster: z.boolean().optional().describe('Whether the server is a cluster.'),
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,40}$/, 'must be letters, digits, "_" and "-"')
      .optional()
      .describe('What keys begin with; gatehouse unless given.'),
  }),
  z.strictObject({
    type: z.literal('dynamodb'),
    table: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{3,255}$/, 'must be 3 to 255 letters, digits, "_", "." and "-"')
      .describe('Made beforehand: `gatehouse records create`, or the CDK construct.'),
    region: z.string().min(1).optional().describe('AWS_REGION unless given.'),
    endpoint: httpUrl.optional().describe('In the place of the region’s own: DynamoDB Local, a VPC endpoint.'),
  }),
]);

export type RecordsConfig = z.infer<typeof records>;
