/**
 * Anthropic's Messages API and OpenAI's chat completions over HTTP: requests against strict schemas written from the
 * types that the two publish (@anthropic-ai/sdk 1.11.0, resources/messages/messages.d.ts; openai 7.55.0,
 * resources/chat/completions/completions.d.ts), and every way in which an answer goes wrong.
 */
import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod/v4';
import { anthropicModel } from '../src/anthropic.ts';
import { type Model, ModelRefusal, type ModelRequest, ModelUnavailable } from '../src/model.ts';
import { openAiCompatibleModel } from '../src/openai-compatible.ts';
import { type JsonAnswer, type JsonCall, type JsonService, startJsonService } from './json-service.ts';

const apiKey = 'sk-secret-of-the-test';
const turn = <R extends string>(role: R) => z.strictObject({ role: z.literal(role), content: z.string().min(1) });
const objectSchema = z.looseObject({ type: z.literal('object'), additionalProperties: z.literal(false) });

const messageParams = z.strictObject({
  model: z.string(),
  max_tokens: z.int().min(1),
  system: z.string().min(1).optional(),
  messages: z.array(z.union([turn('user'), turn('assistant')])).min(1),
  output_config: z
    .strictObject({ format: z.strictObject({ type: z.literal('json_schema'), schema: objectSchema }) })
    .optional(),
});

const completionParams = z.strictObject({
  model: z.string(),
  max_tokens: z.int().min(1),
  messages: z.array(z.union([turn('system'), turn('user'), turn('assistant')])).min(1),
  response_format: z
    .strictObject({
      type: z.literal('json_schema'),
      json_schema: z.strictObject({
        name: z.string().regex(/^[\w-]{1,64}$/),
        schema: objectSchema,
        strict: z.boolean(),
      }),
    })
    .optional(),
});

interface Provider {
  readonly model: (url: string, options?: object) => Model;
  readonly path: string;
  readonly params: z.ZodType;
  readonly headers: Record<string, string>;
  readonly answer: (text: string, stop?: string) => unknown;
  readonly stops: { readonly length: string; readonly refusal: string };
}

const quick = { baseSeconds: 0.001, maxSeconds: 0.01 };

const providers: Record<string, Provider> = {
  anthropic: {
    model: (baseUrl, options) => anthropicModel({ model: 'claude-x', apiKey, baseUrl, retry: quick, ...options }),
    path: 'POST /v1/messages',
    params: messageParams,
    headers: { 'x-api-key': apiKey, 'anthropic-version': '2026-10-21' },
    answer: (text, stop = 'end_turn') => ({
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude-x',
      content: [
        { type: 'thinking', thinking: 'hm', signature: '' },
        { type: 'text', text, citations: null },
      ],
      stop_reason: stop,
      stop_sequence: null,
      usage: { input_tokens: 12, output_tokens: 7 },
    }),
    stops: { length: 'max_tokens', refusal: 'refusal' },
  },
  openai: {
    model: (url, options) =>
      openAiCompatibleModel({ model: 'gpt-x', apiKey, baseUrl: `${url}/v1`, retry: quick, ...options }),
    path: 'POST /v1/chat/completions',
    params: completionParams,
    headers: { authorization: `Bearer ${apiKey}` },
    answer: (text, stop = 'stop') => ({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1,
      model: 'gpt-x',
      choices: [
        { index: 0, finish_reason: stop, logprobs: null, message: { role: 'assistant', content: text, refusal: null } },
      ],
      usage: { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 },
    }),
    stops: { length: 'length', refusal: 'content_filter' },
  },
};

const request: ModelRequest = {
  system: 'You write cards.',
  messages: [
    { role: 'user', text: 'One, please.' },
    { role: 'assistant', text: '{"word":""}' },
    { role: 'user', text: 'It is empty. <again> & "again" 🦊' },
  ],
  schema: { type: 'object', properties: { word: { type: 'string', minLength: 1 } }, required: ['word'] },
  maxTokens: 500,
};

let service: JsonService | undefined;
afterEach(() => service?.close());

async function started(provider: Provider, answer: (call: JsonCall) => JsonAnswer, options?: object) {
  service = await startJsonService(answer);
  return { service, model: provider.model(service.url, options) };
}

describe.each(Object.entries(providers))('%s', (name, provider) => {
  const good = { body: provider.answer('{"word":"Hund"}') };

  test('sends what the published types have, and reads the answer', async () => {
    const { service, model } = await started(provider, () => good);
    const answer = await model.complete(request);
    expect(answer).toEqual({
      text: '{"word":"Hund"}',
      value: { word: 'Hund' },
      stop: 'end',
      usage: { inputTokens: 12, outputTokens: 7 },
    });
    const { path, headers, body } = service.calls[0] as JsonCall;
    expect(path).toBe(provider.path);
    expect(headers).toMatchObject({ ...provider.headers, 'content-type': 'application/json' });
    expect(provider.params.safeParse(body).error).toBeUndefined();
    expect(body).toMatchObject({ max_tokens: 500, model: model.name.split(':')[1] });
    expect(JSON.stringify(body)).toContain('It is empty. <again> & \\"again\\" 🦊');
    expect(JSON.stringify(body)).toContain('It must also keep to this: minLength: 1');
    expect(model.name.startsWith(`${name}:`)).toBe(true);
  });

  test('asks for text without a schema', async () => {
    const { service, model } = await started(provider, () => ({ body: provider.answer('{"not":"asked for"}') }));
    const { schema: _, ...plain } = request;
    expect('value' in (await model.complete({ ...plain, system: '' }))).toBe(false);
    expect(provider.params.safeParse(service.calls[0]?.body).error).toBeUndefined();
  });

  test.each([
    ['a fence', '```json\n{"word":"Hund"}\n```', { word: 'Hund' }],
    ['prose', 'Here it is: {"word":"Hund"}', undefined],
    ['half of it', '{"word":"Hu', undefined],
    ['another shape, which the caller must find', '{"word":9}', { word: 9 }],
  ])('%s gives what is there, and nothing invented', async (_, text, value) => {
    const { model } = await started(provider, () => ({ body: provider.answer(text) }));
    expect((await model.complete(request)).value).toEqual(value);
  });

  test('says that an answer was cut off, or refused', async () => {
    const stops = [provider.stops.length, provider.stops.refusal];
    const { model } = await started(provider, ({ attempt }) => ({ body: provider.answer('{}', stops[attempt - 1]) }));
    expect(await model.complete(request)).toMatchObject({ stop: 'length', text: '{}' });
    const refused = await model.complete(request);
    expect([refused.stop, 'value' in refused]).toEqual(['refusal', false]);
  });

  test.each([429, 500, 503, 529])('HTTP %i is tried again', async (status) => {
    const { service, model } = await started(provider, ({ attempt }) =>
      attempt < 3
        ? { status, body: { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } } }
        : good,
    );
    expect((await model.complete(request)).value).toEqual({ word: 'Hund' });
    expect(service.calls).toHaveLength(3);
  });

  test('is not tried for ever, and not for longer than the provider asks', async () => {
    const { service, model } = await started(provider, () => ({ status: 529, body: {} }));
    await expect(model.complete(request)).rejects.toMatchObject({ name: 'ModelUnavailable', retrySeconds: 30 });
    expect(service.calls).toHaveLength(4);
    await service.close();
    const late = await started(provider, () => ({ status: 429, headers: { 'retry-after': '3600' }, body: {} }));
    await expect(late.model.complete(request)).rejects.toMatchObject({ name: 'ModelUnavailable', retrySeconds: 3600 });
    expect(late.service.calls).toHaveLength(1);
  });

  test.each([400, 401, 403, 404, 413])('HTTP %i is ModelRefusal at once, without the key', async (status) => {
    const message = `no: key ${apiKey} ${'x'.repeat(5000)}`;
    const { service, model } = await started(provider, () => ({ status, body: { error: { type: 'e', message } } }));
    const error = (await model.complete(request).catch((thrown: unknown) => thrown)) as ModelRefusal;
    expect(error).toBeInstanceOf(ModelRefusal);
    expect(error.status).toBe(status);
    expect(error.message).toMatch(/HTTP \d+\): no: key … x+$/);
    expect(error.message.length).toBeLessThan(400);
    expect(service.calls).toHaveLength(1);
  });

  test.each<[string, JsonAnswer]>([
    ['a page of a proxy', { text: '<html>hello', headers: { 'content-type': 'text/html' } }],
    ['an empty body', { text: '' }],
    ['null', { body: null }],
    ['an empty object', { body: {} }],
    ['a stop that nobody knows', { body: provider.answer('{}', 'tired') }],
    ['an answer that breaks off', { ...good, cutAfter: 30 }],
  ])('%s is ModelUnavailable', async (_, answer) => {
    const { service, model } = await started(provider, () => answer);
    await expect(model.complete(request)).rejects.toThrow(ModelUnavailable);
    expect(service.calls).toHaveLength(4);
  });

  test('an endless answer is not read to its end', async () => {
    const { model } = await started(provider, () => ({ text: ' '.repeat(9 * 1024 * 1024) }));
    await expect(model.complete(request)).rejects.toThrow('the answer is larger than');
  });

  test('a redirect is not followed: the key stays', async () => {
    const { service, model } = await started(provider, () => ({
      status: 307,
      headers: { location: '/elsewhere' },
      body: {},
    }));
    await expect(model.complete(request)).rejects.toThrow(ModelUnavailable);
    expect(new Set(service.calls.map(({ path }) => path))).toEqual(new Set([provider.path]));
  });

  test('silence ends with the time that was given, and an abort with its own reason', async () => {
    const { model } = await started(provider, () => ({ silent: true }), { timeoutSeconds: 0.2 });
    await expect(model.complete(request)).rejects.toThrow('did not answer within 0.2 s');
    const signal = AbortSignal.abort(new Error('the user left'));
    await expect(model.complete({ ...request, signal })).rejects.toThrow('the user left');
  });

  test('an abort ends the wait between two tries', async () => {
    const stop = new AbortController();
    const slow = { retry: { baseSeconds: 60, maxSeconds: 60 } };
    const { model } = await started(
      provider,
      () => {
        setTimeout(() => stop.abort(new Error('the user left')), 10);
        return { status: 503, headers: { 'retry-after': '50' }, body: {} };
      },
      slow,
    );
    await expect(model.complete({ ...request, signal: stop.signal })).rejects.toThrow('the user left');
  });

  test('a conversation that no provider takes is a fault of the caller', async () => {
    const { service, model } = await started(provider, () => good);
    for (const messages of [[], [{ role: 'assistant', text: 'a' }], [{ role: 'user', text: ' ' }]] as const) {
      await expect(model.complete({ system: '', messages })).rejects.toThrow(TypeError);
    }
    expect(service.calls).toHaveLength(0);
  });
});

test('a refusal of OpenAI in its own field, and one of Anthropic with its explanation', async () => {
  const openai = providers.openai as Provider;
  const refusing = openai.answer('') as { choices: Array<{ message: { refusal: string | null } }> };
  for (const choice of refusing.choices) choice.message.refusal = 'I cannot do that.';
  const first = await started(openai, () => ({ body: refusing }));
  expect(await first.model.complete(request)).toMatchObject({ stop: 'refusal', text: 'I cannot do that.' });
  await first.service.close();
  const anthropic = providers.anthropic as Provider;
  const stop_details = { type: 'refusal', category: null, explanation: 'Not this.' };
  const body = { ...(anthropic.answer('', 'refusal') as object), stop_details };
  const second = await started(anthropic, () => ({ body }));
  expect(await second.model.complete(request)).toMatchObject({ stop: 'refusal', text: 'Not this.' });
});
