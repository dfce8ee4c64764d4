/**
 * Amazon Bedrock's Converse, with structured output.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
 */
import {
  BedrockRuntimeClient,
  type BedrockRuntimeClientConfig,
  ConverseCommand,
  type ConverseCommandInput,
  type ConverseCommandOutput,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { jsonValue } from './json-value.ts';
import { type Model, type ModelAnswer, ModelRefusal, type ModelRequest, ModelUnavailable } from './model.ts';
import { checkRequest, deadlineOf } from './request.ts';
import { schemaFor } from './schema-subset.ts';

export interface BedrockOptions {
  /** A model's id, an inference profile's id or ARN. */
  readonly model: string;
  /** Region, endpoint, credentials: the client's own. */
  readonly client?: Pick<BedrockRuntimeClientConfig, 'region' | 'endpoint' | 'credentials'>;
  /** For one `complete`, with every retry. Default 120. */
  readonly timeoutSeconds?: number;
  /** Tries of a request, with exponential back-off and jitter between them. Default 4. */
  readonly attempts?: number;
}

const stops: Readonly<Record<string, ModelAnswer['stop']>> = {
  end_turn: 'end',
  stop_sequence: 'end',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  guardrail_intervened: 'refusal',
  content_filtered: 'refusal',
};

export function bedrockModel(options: BedrockOptions): Model {
  const { model, timeoutSeconds = 120, attempts = 4 } = options;
  const client = new BedrockRuntimeClient({
    ...options.client,
    // The client's own handler speaks HTTP/2, which no proxy and no test server here does.
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 5000,
      requestTimeout: timeoutSeconds * 1000,
      socketTimeout: timeoutSeconds * 1000,
      throwOnRequestTimeout: true,
    }),
    maxAttempts: attempts,
    retryMode: 'standard',
  });
  return {
    name: `bedrock:${model}`,
    async complete(request) {
      checkRequest(request);
      const { signal, explain } = deadlineOf(request.signal, timeoutSeconds);
      const command = new ConverseCommand(converseInput(model, request));
      const sent = client.send(command, { abortSignal: signal });
      const answer = await sent.then(readOutput).catch(sorted).catch(explain);
      const value = request.schema && answer.stop === 'end' ? jsonValue(answer.text) : undefined;
      return { ...answer, ...(value !== undefined && { value }) };
    },
  };
}

function converseInput(model: string, request: ModelRequest): ConverseCommandInput {
  const { system, messages, schema, maxTokens = 4096 } = request;
  return {
    modelId: model,
    ...(system !== '' && { system: [{ text: system }] }),
    messages: messages.map(({ role, text }) => ({ role, content: [{ text }] })),
    inferenceConfig: { maxTokens },
    ...(schema && {
      outputConfig: {
        textFormat: {
          type: 'json_schema',
          structure: { jsonSchema: { name: 'answer', schema: JSON.stringify(schemaFor('anthropic', schema)) } },
        },
      },
    }),
  };
}

function readOutput({ output, stopReason, usage }: ConverseCommandOutput): ModelAnswer {
  const content = output?.message?.content;
  const stop = stopReason === undefined ? undefined : stops[stopReason];
  const { inputTokens, outputTokens } = usage ?? {};
  if (!Array.isArray(content) || !stop || typeof inputTokens !== 'number' || typeof outputTokens !== 'number') {
    throw new ModelUnavailable('Amazon Bedrock answered with something that is no message.');
  }
  const text = content.map((block) => block.text ?? '').join('');
  return { text, stop, usage: { inputTokens, outputTokens } };
}

/** Of the published errors of Converse, those that no second try changes. */
const never = new Set(['AccessDeniedException', 'ResourceNotFoundException', 'ValidationException']);

function sorted(error: unknown): never {
  if (error instanceof ModelUnavailable) throw error;
  const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const said = `${name}: ${String(message).replace(/\s+/g, ' ').slice(0, 300)}`;
  if (never.has(name) || status === 401 || status === 403) {
    throw new ModelRefusal(`Amazon Bedrock refused the request (${said})`, { status, cause: error });
  }
  throw new ModelUnavailable(`Amazon Bedrock cannot answer now (${said})`, { cause: error });
}
