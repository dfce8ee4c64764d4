/** A language model behind one small interface: a conversation in, a text or a JSON value out. */

/** A JSON Schema, 2020-12; its root is an object schema. Each adapter sends the subset its provider takes. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Message {
  readonly role: 'user' | 'assistant';
  readonly text: string;
}

export interface ModelRequest {
  readonly system: string;
  /** At least one; the first and the last are the user's. */
  readonly messages: readonly Message[];
  /** Asks for a JSON value of this schema. Providers keep to a part of it only: validate what comes back. */
  readonly schema?: JsonSchema;
  /** Of the answer. Default 4096. */
  readonly maxTokens?: number;
  readonly signal?: AbortSignal;
}

export interface ModelAnswer {
  readonly text: string;
  /** Parsed from the text where a schema was given; NOT validated. Absent where the text is no JSON. */
  readonly value?: unknown;
  /** `length`: cut off at `maxTokens`. `refusal`: the model or its provider would not answer; the text may say why. */
  readonly stop: 'end' | 'length' | 'refusal';
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
}

export interface Model {
  /** `provider:model`, for logs and for the user. */
  readonly name: string;
  /**
   * Throws `ModelRefusal` for what will never work, `ModelUnavailable` for what may work later (after its own retries),
   * the signal's reason if it was aborted.
   */
  complete(request: ModelRequest): Promise<ModelAnswer>;
}

/** The provider will not take this request: a wrong key, an unknown model, an input that is too long. */
export class ModelRefusal extends Error {
  override readonly name = 'ModelRefusal';
  /** The provider's HTTP status, where it gave one. */
  readonly status: number | undefined;

  constructor(message: string, options: { status?: number | undefined; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.status = options.status;
  }
}

/** Not now: throttled, overloaded, unreachable, out of time. */
export class ModelUnavailable extends Error {
  override readonly name = 'ModelUnavailable';
  /** When to try again. */
  readonly retrySeconds: number;
  /** What the provider itself asked for, where it did. */
  readonly askedSeconds: number | undefined;

  constructor(
    message: string,
    options: { retrySeconds?: number; askedSeconds?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.askedSeconds = options.askedSeconds;
    this.retrySeconds = options.retrySeconds ?? Math.max(30, options.askedSeconds ?? 0);
  }
}
