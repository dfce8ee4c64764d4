/** What rules keep asking of the facts. Pure. */
import { challengesOf, renamedChallenge } from '../challenge.ts';
import { type Answer, type AuthorizationServerFacts, type Exchange, type Facts, headerOf, lastOf } from '../facts.ts';
import type { Observation } from '../finding.ts';
import { isObject } from '../probe/json.ts';
import { objectOf } from '../probe/metadata.ts';
import { quoted } from '../text.ts';

/** The end of the first request without a token. */
export function firstAnswer({ endpoint }: Facts): Answer | undefined {
  return endpoint && lastOf(endpoint.initialize).answer;
}

/** It asks for a token, as it should. What else is said of challenges presupposes that. */
export function asksForToken(facts: Facts): boolean {
  return firstAnswer(facts)?.status === 401;
}

/** It answers anybody with MCP. */
export function letsAnybodyIn(facts: Facts): boolean {
  const answer = firstAnswer(facts);
  return answer?.status === 200 && isObject(answer.json) && 'jsonrpc' in answer.json;
}

/** Some document of RFC 9728 is there. */
export function hasResourceMetadata({ resourceMetadata }: Facts): boolean {
  return resourceMetadata.some(({ fetched }) => objectOf(fetched) !== undefined);
}

/** The document that clients use. */
export function usedResourceMetadata({ resourceMetadata }: Facts): Readonly<Record<string, unknown>> | undefined {
  return resourceMetadata.map(({ fetched }) => objectOf(fetched)).find((one) => one !== undefined);
}

/** Servers whose metadata could be read. */
export type KnownServer = AuthorizationServerFacts & { readonly metadata: Readonly<Record<string, unknown>> };

export function knownServers({ authorizationServers }: Facts): readonly KnownServer[] {
  return authorizationServers.filter((server): server is KnownServer => server.metadata !== undefined);
}

/** One observation for each server of which it is so. */
export function ofServers(facts: Facts, say: (server: KnownServer) => string | undefined): readonly Observation[] {
  return knownServers(facts).flatMap((server) => seen(say(server)));
}

/** One observation, or none. */
export function seen(saw: string | undefined | false): readonly Observation[] {
  return saw === undefined || saw === false ? [] : [{ saw }];
}

/** `POST https://… → 403 text/html`. */
export function told({ method, url, answer, failure }: Exchange): string {
  const what = answer ? `${answer.status} ${contentTypeOf(answer) ?? 'without a content type'}` : (failure?.code ?? '');
  return `${method} ${withoutQuery(url)} → ${what}`;
}

/** Queries of ours are long, and say nothing to a reader. */
export function withoutQuery(url: string): string {
  return url.replace(/\?.*$/s, '');
}

/** The media type in lower case. */
export function contentTypeOf(answer: Answer | undefined): string | undefined {
  const type = headerOf(answer, 'content-type')?.split(';')[0]?.trim().toLowerCase();
  return type === '' ? undefined : type;
}

export function isHtml(answer: Answer | undefined): boolean {
  return contentTypeOf(answer) === 'text/html' || /^\s*<(!doctype|html)/i.test(answer?.body.slice(0, 200) ?? '');
}

/** The words of a list member; anything else is none. */
export function words(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

export function list(values: readonly string[]): string {
  return values.map((value) => quoted(value, 100)).join(', ');
}

/** The member `error` of a JSON answer (RFC 6749 §5.2). */
export function errorOf({ answer }: Exchange): string | undefined {
  const json = answer?.json;
  return isObject(json) && typeof json.error === 'string' ? json.error : undefined;
}

/** A challenge that a client can see and read, of whatever scheme. */
export function hasChallenge(answer: Answer | undefined): boolean {
  return challengesOf(answer).challenges.length > 0;
}

export function isRenamed(answer: Answer | undefined): boolean {
  return headerOf(answer, 'www-authenticate') === undefined && renamedChallenge(answer) !== undefined;
}

/** The end of a request that never got an answer, in words. */
export function failureWords({ failure }: Exchange): string {
  return failure ? `${failure.code}: ${failure.message}` : 'no answer';
}
