/** A person at Ankify's page: a real browser, the real product behind it, and what both keep an eye on. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { type Stack, startStack } from '../../../../conformance/harness/stack.ts';
import { openWatched, type Watched } from '../../../../conformance/strangers/browser.ts';

export interface PageStack extends Stack {
  /** The page's own origin. */
  readonly page: string;
}

export async function startPageStack(env: NodeJS.ProcessEnv = {}): Promise<PageStack> {
  const stack = await startStack({ env });
  const { port } = new URL(stack.issuer);
  return { ...stack, page: `http://localhost:${Number(port) + 2}` };
}

export interface Visit extends Watched {
  /** Complaints that are none of ours: the browser's own words for “nobody is signed in” and “no network”. */
  readonly faults: () => readonly string[];
}

const expected = [/status of 401 .*\/session\/token/, /ERR_INTERNET_DISCONNECTED/];

export async function visit(browser: Browser, stack: PageStack, options: BrowserContextOptions = {}): Promise<Visit> {
  const watched = await openWatched(browser, { locale: 'en-GB', ...options });
  watched.page.setDefaultTimeout(15_000);
  await watched.page.goto(stack.page);
  const faults = () => watched.complaints.filter((text) => !expected.some((one) => one.test(text)));
  return { ...watched, faults };
}

export async function signIn(page: Page): Promise<void> {
  await page.locator('.welcome .button.is-main').click();
  await page.locator('button[value=allow]').click();
  await page.locator('input[name=username]').fill('demo');
  await page.locator('input[name=password]').fill('Gatehouse-Demo-1');
  await page.keyboard.press('Enter');
  await page.locator('.begin, .head').first().waitFor();
}

export interface DeckToMake {
  readonly name: string;
  readonly text: string;
  readonly front?: string;
  readonly back?: string;
  readonly speech?: 'off' | 'device' | 'recorded';
}

/** By mouse, from anywhere on the page; ends at the open deck. Resolves to its address. */
export async function makeDeck(page: Page, origin: string, deck: DeckToMake): Promise<string> {
  await page.goto(`${origin}/new`);
  await page.getByRole('textbox', { name: 'Your list' }).fill(deck.text);
  await page.getByRole('textbox', { name: 'Name of the deck' }).fill(deck.name);
  if (deck.front) await page.getByLabel('Language of the front').selectOption(deck.front);
  if (deck.back) await page.getByLabel('Language of the back').selectOption(deck.back);
  if (deck.speech) await page.locator(`input[name=speech][value=${deck.speech}]`).check();
  await page.locator('.preview-cards li').first().waitFor();
  await page.getByRole('button', { name: 'Create deck' }).click();
  await page.locator('.card').first().waitFor();
  return page.url();
}

export function field(page: Page, card: number, part: 'front' | 'back' | 'extra' | 'tags') {
  return page
    .locator('.cards > li')
    .nth(card - 1)
    .locator(`textarea[data-part=${part}]`);
}

export async function saved(page: Page): Promise<void> {
  await page.locator('[data-status=saved]').waitFor();
}

/** What each card says, in order. */
export async function cardsOf(page: Page): Promise<ReadonlyArray<readonly [front: string, back: string]>> {
  const fronts = page.locator('.cards textarea[data-part=front]');
  const backs = page.locator('.cards textarea[data-part=back]');
  const values = async (fields: typeof fronts) => Promise.all((await fields.all()).map((one) => one.inputValue()));
  const [front, back] = [await values(fronts), await values(backs)];
  return front.map((text, index) => [text, back[index] ?? ''] as const);
}

/** For `expect.poll`: its own second is shorter than the pause before a save. */
export const soon = { timeout: 15_000 } as const;
