/**
 * The story every stranger must be able to tell: it signs in by itself, makes a deck that downloads, refreshes its token
 * when that has expired, and is refused after expiry once its grant is over. The steps are the same for all of them; how
 * each takes them is in its own file.
 */
import { expect } from 'vitest';
import { refresh } from '../harness/client.ts';
import type { Stack } from '../harness/stack.ts';
import { deckArguments, expectDeckBehind } from './deck.ts';
import { expectRefused, untilExpired } from './expiry.ts';

export interface Credentials {
  readonly clientId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** A client that nobody here wrote. Every method does what it takes: the first call brings the person to the pages. */
export interface Stranger {
  /** Names of the tools it was told of. */
  tools(): Promise<readonly string[]>;
  /** Calls `create_deck`; the structured content of the answer. */
  createDeck(deck: typeof deckArguments): Promise<unknown>;
  /** What it holds now, from where it keeps them. */
  credentials(): Promise<Credentials>;
  /** How often it has wanted to send a person to a browser. */
  peopleAsked(): number;
  /** Tries to work with a grant that is over and a token that has expired; must see that it is refused. */
  expectTurnedAway(): Promise<void>;
}

/** Resolves to an access token that has expired; its grant is over, too. */
export async function tellTheWholeStory(stack: Stack, stranger: Stranger): Promise<string> {
  expect(await stranger.tools()).toContain('create_deck');
  expect(stranger.peopleAsked()).toBe(1);
  await expectDeckBehind(await stranger.createDeck(deckArguments));
  const first = await stranger.credentials();

  // It refreshes by itself: it works on, with other tokens, and nobody was asked.
  await untilExpired(first.accessToken);
  await expectDeckBehind(await stranger.createDeck({ ...deckArguments, name: 'Strangers::Later' }));
  const second = await stranger.credentials();
  expect(second.clientId).toBe(first.clientId);
  expect(second.accessToken).not.toBe(first.accessToken);
  expect(second.refreshToken).not.toBe(first.refreshToken);
  expect(stranger.peopleAsked()).toBe(1);
  await expectRefused(stack.mcp, first.accessToken);

  // A thief spends its refresh token, then shows an older one: a replay, and the grant is over (OAuth 2.1 §4.3.1).
  const stolen = await refresh(stack.issuer, second.clientId, second.refreshToken);
  expect(stolen.status, await stolen.text()).toBe(200);
  const replay = await refresh(stack.issuer, first.clientId, first.refreshToken);
  expect(replay.status).toBe(400);
  expect(await replay.json()).toMatchObject({ error: 'invalid_grant' });

  await untilExpired(second.accessToken);
  await expectRefused(stack.mcp, second.accessToken);
  await stranger.expectTurnedAway();
  return first.accessToken;
}

/** Origins of the product's own pages: the gateway's and the local sign-in's, which has the port after it. */
export function pageOrigins({ issuer }: Stack): readonly string[] {
  const signIn = new URL(issuer);
  signIn.port = String(Number(signIn.port) + 1);
  return [issuer, signIn.origin];
}
