/** Bedrock's Converse over its wire protocol: each request signed and as the published model has it. */
import { afterEach, describe, expect, test } from 'vitest';
import { bedrockModel } from '../src/bedrock.ts';
import { ModelRefusal, type ModelRequest, ModelUnavailable } from '../src/model.ts';
import { type AwsAnswer, type AwsCall, type AwsService, credentials, region, startAwsService } from './aws-service.ts';
import { faults } from './service-model.ts';

const model = 'eu.anthropic.claude-sonnet-4-20250514-v1:0';
const schema = {
  type: 'object',
  properties: { word: { type: 'string', minLength: 1 } },
  required: ['word'],
};
const request: ModelRequest = {
  system: 'You write cards.',
  messages: [
    { role: 'user', text: 'One, please.' },
    { role: 'assistant', text: '{"word":""}' },
    { role: 'user', text: 'It is empty. <again> & "again" 🦊' },
  ],
  schema,
  maxTokens: 500,
};

const good = {
  output: { message: { role: 'assistant', content: [{ text: '{"word":' }, { text: '"Hund"}' }] } },
  stopReason: 'end_turn',
  usage: { inputTokens: 12, outputTokens: 7, totalTokens: 19 },
  metrics: { latencyMs: 5 },
};

let service: AwsService | undefined;
afterEach(() => service?.close());

async function started(
  answer: (call: AwsCall) => AwsAnswer,
  options: { timeoutSeconds?: number; attempts?: number } = {},
) {
  service = await startAwsService({
    service: 'bedrock-runtime',
    signingName: 'bedrock',
    operations: { Converse: 'POST /model/{modelId}/converse' },
    answer,
  });
  return {
    service,
    bedrock: bedrockModel({ model, client: { endpoint: service.endpoint, region, credentials }, ...options }),
  };
}

const json = (body: unknown, status = 200, type?: string): AwsAnswer => ({
  status,
  body: JSON.stringify(body),
  ...(type && { headers: { 'x-amzn-errortype': type } }),
});

describe('a request', () => {
  test('is signed and fits the published model, and the answer is read', async ({ skip }) => {
    const { service, bedrock } = await started(() => json(good));
    if (!service.model && !process.env.CI) skip('BOTOCORE_DATA does not name botocore’s models');
    expect(service.model).toBeDefined();
    expect(service.model && faults(service.model, 'ConverseResponse', good)).toEqual([]);
    const answer = await bedrock.complete(request);
    expect(service.problems).toEqual([]);
    expect(answer).toEqual({
      text: '{"word":"Hund"}',
      value: { word: 'Hund' },
      stop: 'end',
      usage: { inputTokens: 12, outputTokens: 7 },
    });
    expect(bedrock.name).toBe(`bedrock:${model}`);
    const { input } = service.calls[0] as AwsCall;
    expect(input).toMatchObject({
      modelId: model,
      system: [{ text: 'You write cards.' }],
      inferenceConfig: { maxTokens: 500 },
      messages: [{ content: [{ text: 'One, please.' }] }, { role: 'assistant' }, { role: 'user' }],
    });
    const { textFormat } = input.outputConfig as { textFormat: { structure: { jsonSchema: { schema: string } } } };
    expect(JSON.parse(textFormat.structure.jsonSchema.schema)).toEqual({
      type: 'object',
      properties: { word: { type: 'string', description: 'It must also keep to this: minLength: 1' } },
      required: ['word'],
      additionalProperties: false,
    });
  });

  test('the checks can fail: a wrong member and a wrong secret are found', async ({ skip }) => {
    const { service } = await started(() => json(good));
    if (!service.model && !process.env.CI) skip('BOTOCORE_DATA does not name botocore’s models');
    const messages = [{ role: 'oracle', content: [{ text: 1 }] }];
    const wrong = { modelId: model, messages, inferenceConfig: { top: 1 } };
    expect(service.model && faults(service.model, 'ConverseRequest', wrong)).toEqual([
      'ConverseRequest.messages[0].role: oracle is none of the values',
      'ConverseRequest.messages[0].content[0].text: not a string',
      'ConverseRequest.inferenceConfig.top: unknown member',
    ]);
    const thief = { ...credentials, secretAccessKey: 'another' };
    const bedrock = bedrockModel({ model, client: { endpoint: service.endpoint, region, credentials: thief } });
    await expect(bedrock.complete(request)).rejects.toThrow(ModelRefusal);
    expect(service.problems).toEqual([expect.stringContaining('the signature is wrong')]);
  });
});

describe('an answer', () => {
  test.each([
    ['max_tokens', 'length'],
    ['guardrail_intervened', 'refusal'],
    ['content_filtered', 'refusal'],
    ['stop_sequence', 'end'],
  ])('that stops for %s is %s', async (stopReason, stop) => {
    const { bedrock } = await started(() => json({ ...good, stopReason }));
    const answer = await bedrock.complete(request);
    expect(answer.stop).toBe(stop);
    expect('value' in answer).toBe(stop === 'end');
  });

  test('that is prose has no value, and nothing is invented', async () => {
    const prose = {
      ...good,
      output: { message: { role: 'assistant', content: [{ text: 'Here it is: {"word":"x"}' }] } },
    };
    const { bedrock } = await started(() => json(prose));
    expect('value' in (await bedrock.complete(request))).toBe(false);
  });

  test.each([
    ['an empty object', {}],
    ['another stop', { ...good, stopReason: 'tool_use' }],
    ['no usage', { ...good, usage: undefined }],
  ])('that is %s is no answer', async (_, body) => {
    const { bedrock } = await started(() => json(body), { attempts: 1 });
    await expect(bedrock.complete(request)).rejects.toThrow(ModelUnavailable);
  });
});

describe('a failure', () => {
  test('throttling and 5xx are tried again', async () => {
    const { service, bedrock } = await started(({ attempt }) =>
      attempt === 1
        ? json({ message: 'slow down' }, 429, 'ThrottlingException')
        : attempt === 2
          ? json({ message: 'later' }, 503, 'ServiceUnavailableException')
          : json(good),
    );
    expect((await bedrock.complete(request)).value).toEqual({ word: 'Hund' });
    expect(service.calls).toHaveLength(3);
  });

  test('throttling without end is ModelUnavailable, within its bound', async () => {
    const { service, bedrock } = await started(() => json({ message: 'no' }, 429, 'ThrottlingException'), {
      attempts: 2,
    });
    await expect(bedrock.complete(request)).rejects.toMatchObject({ name: 'ModelUnavailable', retrySeconds: 30 });
    expect(service.calls).toHaveLength(2);
  });

  test.each(['AccessDeniedException', 'ValidationException', 'ResourceNotFoundException'])(
    '%s is ModelRefusal, once',
    async (type) => {
      const { service, bedrock } = await started(() => json({ message: 'never' }, 400, type));
      await expect(bedrock.complete(request)).rejects.toThrow(ModelRefusal);
      expect(service.calls).toHaveLength(1);
    },
  );

  test.each<[string, AwsAnswer]>([
    ['a page of a proxy', { body: '<html>hello', headers: { 'content-type': 'text/html' } }],
    ['an answer that breaks off', { body: JSON.stringify(good), cutAfter: 20 }],
  ])('%s is ModelUnavailable', async (_, answer) => {
    const { bedrock } = await started(() => answer, { attempts: 2 });
    await expect(bedrock.complete(request)).rejects.toThrow(ModelUnavailable);
  });

  test('silence ends with the time that was given', async () => {
    const { bedrock } = await started(() => ({ silent: true }), { timeoutSeconds: 0.3 });
    await expect(bedrock.complete(request)).rejects.toThrow('did not answer within 0.3 s');
  });

  test('an abort ends it with its own reason, between two tries and in the middle of an answer', async () => {
    for (const answer of [json({ message: 'no' }, 429, 'ThrottlingException'), { ...json(good), stallAfter: 20 }]) {
      const stop = new AbortController();
      const { service, bedrock } = await started(() => {
        setTimeout(() => stop.abort(new Error('the user left')), 50);
        return { ...answer, headers: { ...answer.headers, 'retry-after': '60' } };
      });
      await expect(bedrock.complete({ ...request, signal: stop.signal })).rejects.toThrow('the user left');
      expect(service.calls).toHaveLength(1);
      await service.close();
    }
  });
});
