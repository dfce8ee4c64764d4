/** Every view as people see it: dark and light, English and German, on a desk and on the smallest phone. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fitsWidth, isDark, launchChromium, pictures, skipReason } from '../../../../conformance/strangers/browser.ts';
import { look, unseenFocus } from './looks.ts';
import { field, makeDeck, type PageStack, saved, signIn, startPageStack, visit } from './visit.ts';

if (skipReason) console.warn(skipReason);

const long = 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft';

describe.skipIf(skipReason)(`the looks of the page ${skipReason}`.trim(), { timeout: 120_000 }, () => {
  let stack: PageStack;
  let browser: Browser;
  let deck: string;
  let takePicture: ReturnType<typeof pictures>;

  beforeAll(async () => {
    takePicture = pictures();
    browser = await launchChromium();
    stack = await startPageStack();
    const { context, page } = await visit(browser, stack);
    await signIn(page);
    deck = await makeDeck(page, stack.page, {
      name: `Sprachen::Deutsch::${long}`,
      text: `der Hund - the dog\n${long} - a very long word\nשלום - hello`,
      front: 'de-DE',
      back: 'en-US',
      speech: 'recorded',
    });
    await page.getByRole('button', { name: 'Note and tags, Card 1' }).click();
    await field(page, 1, 'extra').fill('A friend of humans');
    await field(page, 1, 'tags').fill('animals pets');
    await saved(page);
    await context.close();
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
  });

  /** Each opens one view, from anywhere. */
  const views: ReadonlyArray<readonly [name: string, open: (page: Page) => Promise<void>]> = [
    [
      'decks',
      async (page) => {
        await page.goto(stack.page);
        await page.locator('.deck-tile').first().waitFor();
      },
    ],
    [
      'new-paste',
      async (page) => {
        await page.goto(`${stack.page}/new`);
        await page.locator('.list-text').fill(`der Hund - the dog\n${long}\n${long} - ${long}`);
        await page.locator('.row-errors li').first().waitFor();
        await page.locator('.cost').waitFor();
      },
    ],
    ['new-file', (page) => page.locator('input[name=way][value=file]').check()],
    [
      'new-topic',
      async (page) => {
        await page.locator('input[name=way][value=topic]').check();
        await page.locator('.make-source .note').waitFor();
      },
    ],
    [
      'deck',
      async (page) => {
        await page.goto(deck);
        await page.locator('.card').nth(2).waitFor();
        for (const summary of await page.locator('.settings summary').all()) await summary.click();
      },
    ],
    [
      'deck-open',
      async (page) => {
        await page.locator('.card [aria-expanded]').first().click();
        await page.locator('.below-cards button').click();
        await page.locator('.card').nth(3).locator('textarea').first().fill('half a card');
        await page.locator('[data-part=trash]').nth(2).click();
        await page.locator('.card.is-removed').waitFor();
      },
    ],
    [
      'deck-question',
      async (page) => {
        await page.locator('.is-danger-quiet').click();
        await page.locator('dialog[open]').waitFor();
      },
    ],
    [
      'usage',
      async (page) => {
        await page.goto(`${stack.page}/usage`);
        await page.locator('.meter').nth(2).waitFor();
      },
    ],
    [
      'connect',
      async (page) => {
        await page.goto(`${stack.page}/connect`);
        await page.locator('.way').nth(6).waitFor();
      },
    ],
    [
      'missing',
      async (page) => {
        await page.goto(`${stack.page}/nowhere`);
        await page.locator('.narrow').waitFor();
      },
    ],
  ];

  it.each([
    ['light', 'en-GB', 1280],
    ['dark', 'de-DE', 1280],
    ['light', 'de-DE', 360],
    ['dark', 'en-GB', 360],
  ] as const)('%s, %s, %i pixels wide', async (colorScheme, locale, width) => {
    const { context, page, faults } = await visit(browser, stack, {
      colorScheme,
      locale,
      viewport: { width, height: 800 },
    });
    const seen: Record<string, readonly string[]> = {};
    const see = async (name: string) => {
      const { faults: found } = await look(page);
      const wide = (await fitsWidth(page)) ? [] : ['it has to be scrolled sideways at 320 pixels'];
      if (found.length + wide.length > 0) seen[name] = [...found, ...wide];
      await takePicture(page, `${colorScheme}-${locale}-${width}-${name}`);
    };
    await page.locator('.welcome').waitFor();
    expect(await page.evaluate('document.documentElement.lang')).toBe(locale.slice(0, 2));
    expect(await isDark(page)).toBe(colorScheme === 'dark');
    await see('welcome');
    await signIn(page);
    for (const [name, open] of views) {
      await open(page);
      await see(name);
    }
    expect(seen).toEqual({});
    expect(faults()).toEqual([]);
    await context.close();
  });

  it('shows where the keyboard is', async () => {
    const { context, page } = await visit(browser, stack);
    await page.locator('.welcome').waitFor();
    const unseen = [...(await unseenFocus(page))];
    await signIn(page);
    for (const [name, open] of views) {
      if (!['decks', 'new-paste', 'new-file', 'deck'].includes(name)) continue;
      await open(page);
      unseen.push(...(await unseenFocus(page)));
    }
    expect(unseen).toEqual([]);
    await context.close();
  });

  it('keeps the language and the light that somebody chose', async () => {
    const { context, page } = await visit(browser, stack, { colorScheme: 'light' });
    await page.locator('.welcome').waitFor();
    await page.getByLabel('Language').selectOption('de');
    await page.getByLabel('Darstellung').selectOption('dark');
    expect(await isDark(page)).toBe(true);
    await page.reload();
    await page.getByRole('button', { name: 'Anmelden' }).waitFor();
    expect(await isDark(page)).toBe(true);
    await page.getByLabel('Darstellung').selectOption('system');
    expect(await isDark(page)).toBe(false);
    await context.close();
  });

  it('moves nothing for those who asked for that', async () => {
    const { context, page } = await visit(browser, stack, { reducedMotion: 'reduce' });
    await page.locator('.welcome').waitFor();
    const moving = `[...document.querySelectorAll('*')].filter((one) => {
      const { transitionDuration, animationName } = getComputedStyle(one);
      return transitionDuration !== '0s' || animationName !== 'none';
    }).length`;
    expect(await page.evaluate(moving)).toBe(0);
    await context.close();
  });
});
