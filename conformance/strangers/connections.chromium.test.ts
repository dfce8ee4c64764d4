/** The person's own page in a real Chromium: seen, read aloud, enlarged, and used by keyboard alone until nothing is left. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorize, redeem, refresh, type Tokens } from '../harness/client.ts';
import { type Stack, startStack } from '../harness/stack.ts';
import { fitsWidth, isDark, launchChromium, openWatched, pictures, skipReason, tabTo } from './browser.ts';

if (skipReason) console.warn(skipReason);

describe.skipIf(skipReason)(`Chromium ${skipReason}`.trim(), { timeout: 60_000 }, () => {
  let stack: Stack;
  let browser: Browser;
  let takePicture: ReturnType<typeof pictures>;

  beforeAll(async () => {
    takePicture = pictures();
    browser = await launchChromium();
    stack = await startStack();
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
  });

  const signInOrigin = () => `http://localhost:${Number(new URL(stack.issuer).port) + 1}`;

  /** A connection as a client makes one, through every page. */
  async function connect() {
    const authorized = await authorize(stack.issuer, stack.mcp, signInOrigin());
    const response = await redeem(stack.issuer, authorized);
    expect(response.status).toBe(200);
    const tokens = (await response.json()) as Tokens;
    return {
      refreshStatus: async () => (await refresh(stack.issuer, authorized.clientId, tokens.refresh_token)).status,
    };
  }

  const open = (page: Page) => page.goto(`${stack.issuer}/connections`);
  const cards = (page: Page) => page.locator('.cards > li');

  /** Without a mouse, from the first page to the list. */
  async function signIn(page: Page) {
    await open(page);
    await tabTo(page, 'button.primary');
    await page.keyboard.press('Enter');
    await page.waitForSelector('input[name=password]');
    await tabTo(page, 'input[name=username]');
    await page.keyboard.type('demo');
    await tabTo(page, 'input[name=password]');
    await page.keyboard.type('Gatehouse-Demo-1');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${stack.issuer}/connections`);
  }

  /** What a screen reader is told: role and name of everything that has one, from Chromium's own accessibility tree. */
  async function spoken(page: Page): Promise<readonly string[]> {
    const session = await page.context().newCDPSession(page);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    await session.detach();
    return nodes
      .filter(({ ignored }) => !ignored)
      .map(({ role, name }) => `${role?.value ?? ''} ${name?.value ?? ''}`.trim());
  }

  it.each(['light', 'dark'] as const)(
    'a person without a mouse takes one connection back and then all, in %s',
    async (colorScheme) => {
      const { context, page, complaints } = await openWatched(browser, { colorScheme });
      const made = [await connect(), await connect(), await connect()];
      const refreshes = async () => (await Promise.all(made.map((one) => one.refreshStatus()))).sort();

      await open(page);
      expect(await page.title()).toBe('Your connections');
      expect(await fitsWidth(page)).toBe(true);
      expect(await isDark(page)).toBe(colorScheme === 'dark');
      await takePicture(page, `signed-out-${colorScheme}`);
      await signIn(page);

      const count = await cards(page).count();
      expect(count).toBeGreaterThanOrEqual(made.length);
      const told = await cards(page).first().innerText();
      for (const words of [
        'Conformance',
        'Ankify',
        'a program on your computer',
        'make, change, export and delete decks',
      ]) {
        expect(told).toContain(words);
      }
      expect(await fitsWidth(page)).toBe(true);
      expect(await isDark(page)).toBe(colorScheme === 'dark');
      await takePicture(page, `list-${colorScheme}`);

      await tabTo(page, '.cards > li:first-child button');
      await takePicture(page, `focus-${colorScheme}`);
      await page.keyboard.press('Enter');
      await page.waitForSelector('[role=status]');
      expect(await page.locator('[role=status]').innerText()).toContain('The access is revoked.');
      expect(await cards(page).count()).toBe(count - 1);
      expect(await refreshes()).toEqual([200, 200, 400]);
      await takePicture(page, `one-revoked-${colorScheme}`);

      await tabTo(page, 'a.button[href$="revoke=all"]', 20);
      await page.keyboard.press('Enter');
      await page.waitForSelector('button.danger');
      expect(await page.title()).toBe(`Revoke all ${count - 1} connections?`);
      expect(await fitsWidth(page)).toBe(true);
      await takePicture(page, `revoke-all-${colorScheme}`);
      await tabTo(page, 'button.danger');
      await page.keyboard.press('Enter');
      await page.waitForSelector('[role=status]');
      expect(await cards(page).count()).toBe(0);
      expect(await page.locator('main').innerText()).toContain('Nothing is connected.');
      expect(await refreshes()).toEqual([400, 400, 400]);
      await takePicture(page, `nothing-left-${colorScheme}`);

      await tabTo(page, '.foot button');
      await page.keyboard.press('Enter');
      await page.waitForSelector('button.primary');
      await open(page);
      expect(await page.locator('main').innerText()).toContain('You are not signed in on this page');
      // No script was sent, and nothing was complained about.
      expect(await page.locator('script').count()).toBe(0);
      expect(complaints).toEqual([]);
      await context.close();
    },
  );

  it('says to a screen reader what each button does, and to whom', async () => {
    const { context, page, complaints } = await openWatched(browser);
    await connect();
    await open(page);
    expect(await spoken(page)).toContain('button Sign in with the local user pool');
    await signIn(page);
    const words = await spoken(page);
    for (const expected of [
      'heading Your connections',
      'heading Conformance',
      'button Revoke the access of Conformance to Ankify',
      'link Revoke all…',
      'button Sign out',
    ]) {
      expect(words).toContain(expected);
    }
    // Nothing that can be pressed is without a name, and every card is told apart by the application in it.
    expect(words.filter((word) => ['button', 'link', 'textbox'].includes(word))).toEqual([]);
    expect(words.filter((word) => word.startsWith('button Revoke')).length).toBe(await cards(page).count());
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('enlarged to 200 % nobody scrolls sideways, and nothing is cut off (WCAG 2.2, 1.4.4 and 1.4.10)', async () => {
    // Twice as large on the same screen is half the screen at twice the density.
    const viewport = { width: 1280 / 2, height: 800 / 2 };
    const { context, page } = await openWatched(browser, { viewport, deviceScaleFactor: 2 });
    await connect();
    await signIn(page);
    expect(await fitsWidth(page, viewport.width)).toBe(true);
    expect(await fitsWidth(page, viewport.width / 2)).toBe(true);
    // Letters alone twice as large, as some people set their browser.
    await page.evaluate("document.documentElement.style.fontSize = '200%'");
    expect(await fitsWidth(page, 640)).toBe(true);
    const cut = await page.evaluate<string[]>(
      "[...document.querySelectorAll('main *')].filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'visible').map((one) => one.outerHTML.slice(0, 80))",
    );
    expect(cut).toEqual([]);
    await takePicture(page, 'enlarged');
    await context.close();
  });

  it('two tabs of one browser know of each other: what one revoked, the other cannot revoke in vain', async () => {
    const { context, page } = await openWatched(browser);
    await connect();
    const tab = await context.newPage();
    // Both were open before anybody signed in.
    await Promise.all([open(page), open(tab)]);
    await signIn(page);
    await open(tab);
    const before = await cards(tab).count();
    expect(before).toBe(await cards(page).count());
    await page.locator('.cards > li').first().locator('button').click();
    await page.waitForSelector('[role=status]');
    // The same button, in the tab that does not know yet: done is done, and it is said.
    await tab.locator('.cards > li').first().locator('button').click();
    await tab.waitForSelector('[role=status]');
    expect(await cards(tab).count()).toBe(before - 1);
    // Signed out here is signed out there, and what is pressed there then does nothing.
    await page.locator('.foot button').click();
    await page.waitForSelector('button.primary');
    const other = await connect();
    await tab.locator('.foot button').click();
    await tab.waitForSelector('[role=alert]');
    expect(await tab.locator('[role=alert]').innerText()).toContain('Nothing was changed');
    expect(await other.refreshStatus()).toBe(200);
    await context.close();
  });

  it('another browser sees nothing of it', async () => {
    const mine = await openWatched(browser);
    const theirs = await openWatched(browser);
    await signIn(mine.page);
    await open(theirs.page);
    expect(await theirs.page.locator('main').innerText()).toContain('You are not signed in on this page');
    await Promise.all([mine.context.close(), theirs.context.close()]);
  });
});
