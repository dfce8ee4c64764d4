/** What a call can end in but success: a problem of the API (RFC 9457), the gateway's own refusal, or no answer at all. */

export interface Fault {
  readonly pointer: string;
  readonly detail: string;
}

export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  /** What stands behind the last `/` of `type`; of the gateway, its `error`. */
  readonly kind: string;
  readonly status: number;
  /** For the person, in English. */
  readonly detail: string;
  readonly errors: readonly Fault[];
  readonly retrySeconds: number | undefined;

  constructor(kind: string, status: number, detail: string, errors: readonly Fault[] = [], retrySeconds?: number) {
    super(`${status} ${kind}: ${detail}`);
    this.kind = kind;
    this.status = status;
    this.detail = detail;
    this.errors = errors;
    this.retrySeconds = retrySeconds;
  }
}

/** No answer: the network or the server is away. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** The session has ended; whoever sees it shows the sign-in. */
export class SignedOut extends Error {
  override readonly name = 'SignedOut';
}

export async function problemOf(response: Response): Promise<ApiProblem> {
  const body = await response.json().catch(() => undefined);
  const retry = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retrySeconds = Number.isFinite(retry) ? retry : undefined;
  if (typeof body !== 'object' || body === null) {
    return new ApiProblem(kindOfStatus(response.status), response.status, '', [], retrySeconds);
  }
  const { type, title, detail, errors, error, error_description } = body as Record<string, unknown>;
  const kind = typeof type === 'string' ? type.slice(type.lastIndexOf('/') + 1) : kindOfStatus(response.status, error);
  const words = [detail, error_description, title].find((text) => typeof text === 'string') as string | undefined;
  const faults = Array.isArray(errors) ? (errors as Fault[]).filter((one) => typeof one?.detail === 'string') : [];
  return new ApiProblem(kind, response.status, words ?? '', faults, retrySeconds);
}

function kindOfStatus(status: number, error?: unknown): string {
  if (status === 413) return 'too-large';
  if (status === 429) return 'too-many-requests';
  if (status >= 502) return 'unavailable';
  return typeof error === 'string' ? error : 'fault';
}
