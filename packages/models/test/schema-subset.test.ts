/** What each provider takes of a schema, and that nothing of the rest is lost. */
import { describe, expect, test } from 'vitest';
import { isStrict, schemaFor } from '../src/schema-subset.ts';

const cards = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  description: 'A deck.',
  properties: {
    cards: {
      type: 'array',
      minItems: 1,
      maxItems: 100,
      items: {
        type: 'object',
        properties: {
          front: { type: 'string', minLength: 1, maxLength: 200, description: 'What is asked.' },
          level: { type: 'integer', minimum: 1, maximum: 5 },
          kind: { type: 'string', enum: ['noun', 'verb'] },
          when: { type: 'string', format: 'date' },
          where: { type: 'string', format: 'regex' },
          note: { type: ['string', 'null'] },
        },
        required: ['front'],
      },
    },
  },
  required: ['cards'],
};

describe('for Anthropic and Bedrock', () => {
  const taken = schemaFor('anthropic', cards) as typeof cards & { additionalProperties: boolean };
  const { front, level, kind, when, where, note } = taken.properties.cards.items.properties;

  test('numbers, lengths and counts move into the descriptions', () => {
    expect(front).toEqual({
      type: 'string',
      description: 'What is asked.\nIt must also keep to this: minLength: 1, maxLength: 200',
    });
    expect(level).toEqual({ type: 'integer', description: 'It must also keep to this: minimum: 1, maximum: 5' });
    expect(taken.properties.cards).toMatchObject({
      minItems: 1,
      description: 'It must also keep to this: maxItems: 100',
    });
    expect('maxItems' in taken.properties.cards).toBe(false);
  });

  test('lists of values, known formats and choices of types stay', () => {
    expect(kind).toEqual({ enum: ['noun', 'verb'] });
    expect(when).toEqual({ type: 'string', format: 'date' });
    expect(where).toEqual({ type: 'string', description: 'It must also keep to this: format: "regex"' });
    expect(note).toEqual({ anyOf: [{ type: 'string' }, { type: 'null' }] });
  });

  test('every object is closed, and what only names the schema is gone', () => {
    expect([taken.additionalProperties, '$schema' in taken]).toEqual([false, false]);
    expect(taken.properties.cards.items).toMatchObject({ additionalProperties: false, required: ['front'] });
  });
});

test('OpenAI takes numbers and counts, but no lengths and no allOf', () => {
  const taken = schemaFor('openai', { ...cards, allOf: [{ required: ['cards'] }] }) as typeof cards;
  const { front, level, note } = taken.properties.cards.items.properties;
  expect(level).toEqual({ type: 'integer', minimum: 1, maximum: 5 });
  expect(taken.properties.cards).toMatchObject({ minItems: 1, maxItems: 100 });
  expect(front).not.toHaveProperty('minLength');
  expect(note).toEqual({ type: ['string', 'null'] });
  expect(taken).not.toHaveProperty('allOf');
  expect(taken.description).toBe('A deck.\nIt must also keep to this: allOf: [{"required":["cards"]}]');
});

test('strict mode is only for schemas in which everything is required', () => {
  expect(isStrict(schemaFor('openai', cards))).toBe(false);
  const all = { type: 'object', properties: { a: { type: 'array', items: { type: 'string' } } }, required: ['a'] };
  expect(isStrict(schemaFor('openai', all))).toBe(true);
});

test('local references stay, others are told; oneOf becomes anyOf; a schema is not changed', () => {
  const given = {
    $defs: { word: { type: 'string', pattern: '^a' } },
    type: 'object',
    properties: { a: { $ref: '#/$defs/word', minLength: 2 }, b: { $ref: 'https://a.example/b' } },
    oneOf: [{ type: 'object' }, true],
    not: { const: 1 },
  };
  const before = structuredClone(given);
  expect(schemaFor('anthropic', given)).toEqual({
    $defs: { word: { type: 'string', description: 'It must also keep to this: pattern: "^a"' } },
    type: 'object',
    properties: {
      a: { $ref: '#/$defs/word' },
      b: { description: 'It must also keep to this: $ref: "https://a.example/b"' },
    },
    anyOf: [{ type: 'object', properties: {}, additionalProperties: false }, {}],
    additionalProperties: false,
    description: 'It must also keep to this: not: {"const":1}',
  });
  expect(given).toEqual(before);
});

test('a schema without an end, or none, is refused', () => {
  let deep: Record<string, unknown> = { type: 'string' };
  for (let depth = 0; depth < 40; depth++) deep = { type: 'array', items: deep };
  expect(() => schemaFor('openai', deep)).toThrow(TypeError);
  expect(() => schemaFor('anthropic', { type: 'object', properties: { a: 'string' } })).toThrow(
    'a schema is an object',
  );
});
