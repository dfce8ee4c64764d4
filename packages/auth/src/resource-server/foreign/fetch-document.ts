/** One document of an issuer over HTTP: bounded in time and size, and from the address it was asked for (SEC-09). */
import { urlFault } from './issuer.ts';

export type Fetch = (
  url: string,
  init: {
    readonly redirect: 'manual';
    readonly signal: AbortSignal;
    readonly headers: Readonly<Record<string, string>>;
  },
) => Promise<Response>;

export interface IssuerDocument {
  readonly text: string;
  /** How long it may be kept, in seconds (RFC 9111 §4.2.1), as the answer has it; undefined: it does not say. */
  readonly freshSeconds: number | undefined;
}

const maxBytes = 64 * 1024;

/** Throws whatever goes wrong, in words that hold nothing of the document. */
export async function fetchDocument(url: string, fetch: Fetch, signal: AbortSignal): Promise<IssuerDocument> {
  const fault = urlFault(url);
  if (fault !== undefined) throw new Error(`the address of an issuer's document ${fault}`);
  const response = await fetch(url, { redirect: 'manual', signal, headers: { accept: 'application/json' } });
  // Not followed: where a redirect leads was chosen by somebody else (CVE-2025-52477 and others).
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${url} answered ${response.status}`);
  }
  return { text: await boundedText(response, url), freshSeconds: freshness(response.headers) };
}

async function boundedText(response: Response, url: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Counted after decompression, so that a small answer cannot become a large one. Leaving the loop cancels the rest.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`${url} answered more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function freshness(headers: Headers): number | undefined {
  const control = headers.get('cache-control')?.toLowerCase() ?? '';
  if (/(?:^|[\s,])no-(?:store|cache)\b/.test(control)) return 0;
  const seconds = /(?:^|[\s,])max-age="?(\d{1,9})/.exec(control)?.[1];
  if (seconds === undefined) return undefined;
  // RFC 9111 §4.2.3: what a cache on the way has kept is that much older.
  const age = /^\s*(\d{1,9})\s*$/.exec(headers.get('age') ?? '')?.[1] ?? '0';
  return Math.max(0, Number(seconds) - Number(age));
}
