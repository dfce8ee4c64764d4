/**
 * What AWS Lambda's Node.js runtime gives a streaming handler, as far as it is used: the global `awslambda`, the stream an
 * answer is written to, and the invocation's context.
 * https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html
 */

/** One answer on its way. It has the methods of a `Writable` and is none: `pipeline` would not take it. */
export interface ResponseStream {
  write(chunk: string | Uint8Array): boolean;
  end(): void;
  once(event: 'drain' | 'close', listener: () => void): unknown;
  once(event: 'error', listener: (cause: Error) => void): unknown;
  readonly writableFinished: boolean;
}

/** Status and headers, written before the body. Function URLs read `cookies`, API Gateway `multiValueHeaders`. */
export interface Prelude {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies?: readonly string[];
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>;
}

export interface InvocationContext {
  readonly awsRequestId: string;
  /** Until the platform ends the instance, whatever it is doing. */
  getRemainingTimeInMillis(): number;
}

export type StreamingHandler = (event: unknown, stream: ResponseStream, context: InvocationContext) => Promise<void>;

export interface LambdaPlatform {
  /** Marks a handler as one that streams. */
  streamifyResponse(handler: StreamingHandler): StreamingHandler;
  readonly HttpResponseStream: {
    /** The same stream, which writes the prelude and eight zero bytes before the first chunk, and not before. */
    from(stream: ResponseStream, prelude: Prelude): ResponseStream;
  };
}

/** Throws outside of Lambda. */
export function lambdaPlatform(): LambdaPlatform {
  const { awslambda } = globalThis as { awslambda?: Partial<LambdaPlatform> };
  if (!awslambda?.streamifyResponse || !awslambda.HttpResponseStream) {
    throw new Error('This handler runs in the Node.js runtime of AWS Lambda, which streams answers; here is none.');
  }
  return awslambda as LambdaPlatform;
}
