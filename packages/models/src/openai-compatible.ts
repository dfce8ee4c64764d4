/**
 * Chat completions as OpenAI published them and many servers speak them (vLLM, llama.cpp, Ollama, gateways), with
 * structured output. https://developers.openai.com/api/reference/resources/chat
 */
import { jsonValue } from './json-value.ts';
import { type Model, type ModelAnswer, type ModelRequest, ModelUnavailable } from './model.ts';
import { checkedBase, postJson } from './post-json.ts';
import { checkRequest, deadlineOf } from './request.ts';
import { type RetryOptions, withRetries } from './retry.ts';
import { isStrict, schemaFor } from './schema-subset.ts';

export interface OpenAiCompatibleOptions {
  readonly model: string;
  /** Absent: a server on this machine that asks for none. */
  readonly apiKey?: string;
  /** Up to `/chat/completions`. Default `https://api.openai.com/v1`. */
  readonly baseUrl?: string;
  /** For one `complete`, with every retry. Default 120. */
  readonly timeoutSeconds?: number;
  readonly retry?: RetryOptions;
}

const openAi = 'https://api.openai.com/v1';

const stops: Readonly<Record<string, ModelAnswer['stop']>> = {
  stop: 'end',
  length: 'length',
  content_filter: 'refusal',
};

/** Throws an `Error` for a base address that is not https, unless it is this machine's. */
export function openAiCompatibleModel(options: OpenAiCompatibleOptions): Model {
  const { model, apiKey, baseUrl = openAi, retry = {}, timeoutSeconds = 120 } = options;
  const url = new URL('chat/completions', checkedBase('baseUrl', baseUrl));
  const isOpenAi = url.hostname === new URL(openAi).hostname;
  return {
    name: `openai:${model}`,
    async complete(request) {
      checkRequest(request);
      const { signal, explain } = deadlineOf(request.signal, timeoutSeconds);
      const body = completionBody(model, request, isOpenAi);
      const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
      const ask = async () =>
        readCompletion(await postJson('The model', { url, headers, body, signal, secret: apiKey }));
      const answer = await withRetries(ask, retry, signal).catch(explain);
      const value = request.schema && answer.stop === 'end' ? jsonValue(answer.text) : undefined;
      return { ...answer, ...(value !== undefined && { value }) };
    },
  };
}

function completionBody(model: string, request: ModelRequest, isOpenAi: boolean) {
  const { system, messages, maxTokens = 4096 } = request;
  const schema = request.schema && schemaFor('openai', request.schema);
  return {
    model,
    // OpenAI's own reasoning models refuse the old name; others know only that one.
    [isOpenAi ? 'max_completion_tokens' : 'max_tokens']: maxTokens,
    messages: [
      ...(system === '' ? [] : [{ role: 'system', content: system }]),
      ...messages.map(({ role, text }) => ({ role, content: text })),
    ],
    ...(schema && {
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: isStrict(schema) } },
    }),
  };
}

interface CompletionLike {
  readonly choices?: ReadonlyArray<{
    readonly finish_reason?: unknown;
    readonly message?: { readonly content?: unknown; readonly refusal?: unknown };
  }>;
  readonly usage?: { readonly prompt_tokens?: unknown; readonly completion_tokens?: unknown };
}

function readCompletion(value: unknown): ModelAnswer {
  const { choices, usage } = (value ?? {}) as CompletionLike;
  const choice = Array.isArray(choices) ? choices[0] : undefined;
  const stop = typeof choice?.finish_reason === 'string' ? stops[choice.finish_reason] : undefined;
  const { prompt_tokens: inputTokens, completion_tokens: outputTokens } = usage ?? {};
  if (!choice?.message || !stop || typeof inputTokens !== 'number' || typeof outputTokens !== 'number') {
    throw new ModelUnavailable('The model answered with something that is no chat completion.');
  }
  const { content, refusal } = choice.message;
  const refused = typeof refusal === 'string' && refusal !== '';
  const text = refused ? refusal : typeof content === 'string' ? content : '';
  return { text, stop: refused ? 'refusal' : stop, usage: { inputTokens, outputTokens } };
}
