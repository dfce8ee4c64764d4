/** The OpenAPI 3.1 document of the routes, made of the very schemas that check the requests. */
import * as z from 'zod';
import { type ProblemKind, problemKinds, problemMediaType, problemType } from './problem.ts';
import type { AnswerShape, Route } from './route.ts';

type Json = Record<string, unknown>;

/** What any route may answer with, whatever it is for. */
const always: readonly ProblemKind[] = [
  'invalid-request',
  'unauthorized',
  'forbidden',
  'insufficient-scope',
  'fault',
  'unavailable',
];
const withBody: readonly ProblemKind[] = ['not-json', 'not-json-type', 'too-large'];
const withKey: readonly ProblemKind[] = ['idempotency-key-in-use', 'idempotency-key-reused'];

export interface DocumentOptions {
  /** Where the API is reached, without a trailing slash. */
  readonly url: string;
}

export function openApiDocument(routes: readonly Route[], { url }: DocumentOptions): Json {
  const schemas: Json = { Problem: problemSchema() };
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = paths[route.path] ?? {};
    path[route.method.toLowerCase()] = operationOf(route, schemas);
    paths[route.path] = path;
  }
  return {
    openapi: '3.1.1',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Ankify',
      version: '0.1.0',
      description:
        'Decks of flashcards for Anki, with speech. Errors are problem+json (RFC 9457): compare the `type`, show the `detail`.',
    },
    servers: [{ url }],
    security: [{ oauth: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        oauth: {
          type: 'http',
          scheme: 'bearer',
          description: `An access token for the resource ${url}; its metadata (RFC 9728) name the authorization server.`,
        },
      },
    },
  };
}

function operationOf(route: Route, schemas: Json): Json {
  const { id, summary, description, scope, body } = route;
  return {
    operationId: id,
    summary,
    ...(description !== undefined && { description }),
    security: [{ oauth: [scope] }],
    parameters: parametersOf(route, schemas),
    ...(body && {
      requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input', schemas) } } },
    }),
    responses: responsesOf(route, schemas),
  };
}

function parametersOf({ params, query, keyed, answers, method, path }: Route, schemas: Json): Json[] {
  const named = (where: 'path' | 'query', shape: z.ZodObject | undefined) =>
    Object.entries(shape?.shape ?? {}).map(([name, schema]) => ({
      name,
      in: where,
      required: where === 'path' || !(schema as z.ZodType).safeParse(undefined).success,
      schema: schemaOf(schema as z.ZodType, 'input', schemas),
    }));
  const header = (name: string, text: string) => ({
    name,
    in: 'header',
    schema: { type: 'string' },
    description: text,
  });
  return [
    ...named('path', params),
    ...named('query', query),
    ...(keyed ? [header('Idempotency-Key', 'The same request with the same key, within a day, is one request.')] : []),
    ...(method !== 'GET' && path.startsWith('/decks/{deck_id}') && !path.endsWith('/audio')
      ? [header('If-Match', 'The ETag you read; another by now is 412.')]
      : []),
    ...(answers[304] ? [header('If-None-Match', 'The ETag you have.')] : []),
    ...(answers[206] ? [header('Range', 'One range of bytes.')] : []),
  ];
}

function responsesOf({ answers, problems, body, keyed }: Route, schemas: Json): Json {
  const responses: Json = {};
  for (const [status, answer] of Object.entries(answers)) responses[status] = answerOf(answer, schemas);
  const kinds = [...always, ...(body ? withBody : []), ...(keyed ? withKey : []), ...problems];
  const byStatus = Map.groupBy(new Set(kinds), (kind) => problemKinds[kind].status);
  for (const [status, some] of [...byStatus].sort(([a], [b]) => a - b)) {
    responses[status] = {
      description: some.map((kind) => `\`${kind}\`: ${problemKinds[kind].title}`).join(' '),
      content: {
        [problemMediaType]: {
          schema: {
            allOf: [
              { $ref: '#/components/schemas/Problem' },
              { properties: { status: { const: status }, type: { enum: some.map(problemType) } } },
            ],
          },
        },
      },
    };
  }
  return responses;
}

function answerOf({ description, schema, also }: AnswerShape, schemas: Json): Json {
  if (schema === undefined) return { description };
  if (typeof schema === 'string') return { description, content: { [schema]: {} } };
  return {
    description,
    content: {
      'application/json': { schema: schemaOf(schema, 'output', schemas) },
      ...(also !== undefined && { [also]: { schema: { type: 'string' } } }),
    },
  };
}

/** Named schemas come to stand in `components` once; the rest stays where it is used. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const {
    $schema: _,
    $defs = {},
    ...made
  } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' }) as Json & {
    $defs?: Json;
  };
  for (const [name, definition] of Object.entries($defs)) schemas[name] ??= relinked(definition);
  return relinked(made) as Json;
}

/** With the references of this document, and without the bounds that say no more than "an integer". */
function relinked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(relinked);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, inner]) => Math.abs(Number(inner)) !== Number.MAX_SAFE_INTEGER);
  return Object.fromEntries(
    members.map(([name, inner]) => [
      name,
      name === '$ref' && typeof inner === 'string'
        ? inner.replace('#/$defs/', '#/components/schemas/')
        : relinked(inner),
    ]),
  );
}

function problemSchema(): Json {
  return {
    type: 'object',
    required: ['type', 'title', 'status', 'detail'],
    properties: {
      type: { type: 'string', enum: Object.keys(problemKinds).map((kind) => problemType(kind as ProblemKind)) },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string', description: 'For the user.' },
      errors: {
        type: 'array',
        items: {
          type: 'object',
          required: ['pointer', 'detail'],
          properties: {
            pointer: { type: 'string', description: 'JSON Pointer into the body, or `?name` of a query parameter.' },
            detail: { type: 'string' },
          },
        },
      },
      version: { type: 'integer', description: 'Of `deck-changed` and `precondition-failed`: the deck’s version now.' },
      scope: { type: 'string', description: 'Of `insufficient-scope`: what is needed.' },
    },
  };
}
