/** What an authorization request led to, told by status and `Location`. Pure. */
import { type AuthorizeFacts, type Exchange, headerOf } from '../facts.ts';
import { redirectOf } from '../probe/http.ts';
import { quoted, shown } from '../text.ts';
import { failureWords } from './observe.ts';

export type Result =
  /** A page of its own, or a redirect to where people sign in. */
  | 'page'
  | 'sign-in'
  /** Back at the client. */
  | 'code'
  | 'error'
  | 'refused'
  | 'failed';

export function resultOf(exchange: Exchange, redirectUri: string): Result {
  const { answer } = exchange;
  if (!answer || answer.status >= 500) return 'failed';
  const to = redirectOf(exchange) ?? location(exchange);
  if (answer.status >= 300 && answer.status < 400 && to !== undefined) {
    const query = URL.canParse(to) ? new URL(to).searchParams : new URLSearchParams();
    if (isSentTo(exchange, redirectUri)) return query.has('error') ? 'error' : query.has('code') ? 'code' : 'refused';
    // An error page of its own, as Cognito has one.
    return query.has('error') ? 'refused' : 'sign-in';
  }
  return answer.status === 200 ? 'page' : 'refused';
}

/** On the way of a good request: to a page, or to where people sign in. */
export function isOn(exchange: Exchange, redirectUri: string): boolean {
  return ['page', 'sign-in'].includes(resultOf(exchange, redirectUri));
}

export function works({ asClientsDo, redirectUri }: AuthorizeFacts): boolean {
  return isOn(asClientsDo, redirectUri);
}

function location({ answer }: Exchange): string | undefined {
  return answer?.status !== undefined && answer.status >= 300 ? headerOf(answer, 'location') : undefined;
}

export function isSentTo(exchange: Exchange, redirectUri: string): boolean {
  const to = redirectOf(exchange);
  return to !== undefined && to.split(/[?#]/, 1)[0] === redirectUri;
}

/** What came back to the client, of all that was asked with a good redirect URI. */
export function answersOf(authorize: AuthorizeFacts): readonly URLSearchParams[] {
  return [usualAnswerOf(authorize) ?? [], errorAnswersOf(authorize)].flat();
}

/** What came back of the request as clients make it; undefined: a page, a sign-in, or nothing. */
export function usualAnswerOf({ asClientsDo, redirectUri }: AuthorizeFacts): URLSearchParams | undefined {
  return answerOf(asClientsDo, redirectUri);
}

/** What came back of requests that should be refused. */
export function errorAnswersOf({
  withoutPkce,
  strangeResource,
  redirectUri,
}: AuthorizeFacts): readonly URLSearchParams[] {
  return [withoutPkce, strangeResource].flatMap((exchange) => answerOf(exchange, redirectUri) ?? []);
}

function answerOf(exchange: Exchange, redirectUri: string): URLSearchParams | undefined {
  return isSentTo(exchange, redirectUri) ? new URL(redirectOf(exchange) ?? '').searchParams : undefined;
}

export function resultWords(exchange: Exchange, redirectUri: string): string {
  const { answer } = exchange;
  if (!answer) return failureWords(exchange);
  const to = redirectOf(exchange) ?? location(exchange);
  if (to === undefined) {
    const page = shown(answer.body.replace(/<style.*?<\/style>|<[^>]*>/gs, ' '), 120).trim();
    return answer.status === 200 ? 'a page (200)' : `${answer.status} “${page}”`;
  }
  const query = URL.canParse(to) ? new URL(to).searchParams : new URLSearchParams();
  const error = query.get('error');
  const said = error === null ? '' : `: ${quoted(`${error} ${query.get('error_description') ?? ''}`.trim(), 150)}`;
  return `${answer.status} to ${isSentTo(exchange, redirectUri) ? 'the client' : quoted(to.split('?', 1)[0] ?? '', 100)}${said}`;
}
