/** Anthropic's Messages API, with structured output. https://platform.claude.com/docs/en/api/messages */
import { jsonValue } from './json-value.ts';
import { type Model, type ModelAnswer, type ModelRequest, ModelUnavailable } from './model.ts';
import { checkedBase, postJson } from './post-json.ts';
import { checkRequest, deadlineOf } from './request.ts';
import { type RetryOptions, withRetries } from './retry.ts';
import { schemaFor } from './schema-subset.ts';

export interface AnthropicOptions {
  readonly model: string;
  readonly apiKey: string;
  /** Default `https://api.anthropic.com`. */
  readonly baseUrl?: string;
  /** For one `complete`, with every retry. Default 120. */
  readonly timeoutSeconds?: number;
  readonly retry?: RetryOptions;
}

/** What Anthropic's own client of this time sends (@anthropic-ai/sdk 1.11.0). */
const apiVersion = '2026-10-21';

const stops: Readonly<Record<string, ModelAnswer['stop']>> = {
  end_turn: 'end',
  stop_sequence: 'end',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  refusal: 'refusal',
};

/** Throws an `Error` for a base address that is not https. */
export function anthropicModel(options: AnthropicOptions): Model {
  const { model, apiKey, retry = {}, timeoutSeconds = 120 } = options;
  const url = new URL('v1/messages', checkedBase('baseUrl', options.baseUrl ?? 'https://api.anthropic.com'));
  return {
    name: `anthropic:${model}`,
    async complete(request) {
      checkRequest(request);
      const { signal, explain } = deadlineOf(request.signal, timeoutSeconds);
      const body = messageBody(model, request);
      const headers = { 'x-api-key': apiKey, 'anthropic-version': apiVersion };
      const ask = async () => readMessage(await postJson('Anthropic', { url, headers, body, signal, secret: apiKey }));
      const answer = await withRetries(ask, retry, signal).catch(explain);
      const value = request.schema && answer.stop === 'end' ? jsonValue(answer.text) : undefined;
      return { ...answer, ...(value !== undefined && { value }) };
    },
  };
}

function messageBody(model: string, { system, messages, schema, maxTokens = 4096 }: ModelRequest) {
  return {
    model,
    max_tokens: maxTokens,
    ...(system !== '' && { system }),
    messages: messages.map(({ role, text }) => ({ role, content: text })),
    ...(schema && { output_config: { format: { type: 'json_schema', schema: schemaFor('anthropic', schema) } } }),
  };
}

interface MessageLike {
  readonly content?: unknown;
  readonly stop_reason?: unknown;
  readonly stop_details?: { readonly explanation?: unknown } | null;
  readonly usage?: { readonly input_tokens?: unknown; readonly output_tokens?: unknown };
}

function readMessage(value: unknown): ModelAnswer {
  const { content, stop_reason, stop_details, usage } = (value ?? {}) as MessageLike;
  const stop = typeof stop_reason === 'string' ? stops[stop_reason] : undefined;
  const { input_tokens: inputTokens, output_tokens: outputTokens } = usage ?? {};
  if (!Array.isArray(content) || !stop || typeof inputTokens !== 'number' || typeof outputTokens !== 'number') {
    throw new ModelUnavailable('Anthropic answered with something that is no message.');
  }
  const text = content
    .flatMap((block: { type?: unknown; text?: unknown }) =>
      block?.type === 'text' && typeof block.text === 'string' ? [block.text] : [],
    )
    .join('');
  const explanation = stop === 'refusal' && text === '' ? stop_details?.explanation : undefined;
  return {
    text: typeof explanation === 'string' ? explanation : text,
    stop,
    usage: { inputTokens, outputTokens },
  };
}
