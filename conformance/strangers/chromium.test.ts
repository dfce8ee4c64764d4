/** The pages in a real Chromium: by keyboard, in light and dark, said no to, and attacked as another site would. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Client,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { type Stack, startStack } from '../harness/stack.ts';
import { fitsWidth, isDark, launchChromium, openWatched, pictures, skipReason, tabTo } from './browser.ts';
import { deckArguments, expectDeckBehind } from './deck.ts';
import { type Listener, listenForCallback, memoryProvider } from './sdk-application.ts';

const allow = 'button[value=allow]';
const deny = 'button[value=deny]';

// The reporter counts what is skipped and does not say why.
if (skipReason) console.warn(skipReason);

describe.skipIf(skipReason)(`Chromium ${skipReason}`.trim(), { timeout: 60_000 }, () => {
  let stack: Stack;
  let listener: Listener;
  let browser: Browser;
  let takePicture: ReturnType<typeof pictures>;

  beforeAll(async () => {
    takePicture = pictures();
    browser = await launchChromium();
    listener = await listenForCallback();
    stack = await startStack();
  });

  afterAll(async () => {
    await browser?.close();
    await Promise.all([stack?.stop(), listener?.close()]);
  });

  it.each(['light', 'dark'] as const)('a person without a mouse signs in, in %s', async (colorScheme) => {
    onTestFailed(() => console.error(stack.output()));
    const { context, page, complaints } = await openWatched(browser, { colorScheme });
    const { application, transport, authorizeUrl } = await askForPerson('A <b>stranger</b>');

    await page.goto(authorizeUrl);
    expect(await page.title()).toBe('Allow access to Ankify?');
    expect(await page.locator('h1').textContent()).toBe('A <b>stranger</b> wants to use Ankify');
    const told = await page.locator('main').innerText();
    expect(told).toContain(new URL(listener.redirectUri).host);
    expect(told).toContain(stack.mcp);
    expect(await fitsWidth(page)).toBe(true);
    expect(await isDark(page)).toBe(colorScheme === 'dark');
    expect(await tabTo(page, allow)).toBe(1);
    await takePicture(page, `consent-${colorScheme}`);
    await page.keyboard.press('Enter');

    await page.waitForSelector('input[name=password]');
    expect(await page.title()).toBe('Sign in');
    expect(await fitsWidth(page)).toBe(true);
    expect(await isDark(page)).toBe(colorScheme === 'dark');
    expect(await tabTo(page, 'input[name=username]')).toBe(0);
    await page.keyboard.type('demo');
    expect(await tabTo(page, 'input[name=password]')).toBe(1);
    await page.keyboard.type('Gatehouse-Demo-1');
    await takePicture(page, `sign-in-${colorScheme}`);
    await page.keyboard.press('Enter');

    const answered = await listener.callback();
    await page.waitForURL((url) => url.href.startsWith(listener.redirectUri));
    expect(await page.title()).toBe('Done');
    expect(answered.get('state')).toBe(application.lastState());
    await transport.finishAuth(answered);
    const { client, connected } = connect(application.provider);
    await connected;
    const { structuredContent } = await client.callTool({ name: 'create_deck', arguments: deckArguments });
    await expectDeckBehind(structuredContent);
    await client.close();
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('a person says no, and the client is told so', async () => {
    const { context, page, complaints } = await openWatched(browser);
    const { application, authorizeUrl } = await askForPerson('Unwanted');
    await page.goto(authorizeUrl);
    expect(await tabTo(page, deny)).toBe(2);
    await page.keyboard.press('Enter');
    const answered = await listener.callback();
    expect(Object.fromEntries(answered)).toMatchObject({
      error: 'access_denied',
      state: application.lastState(),
      iss: stack.issuer,
    });
    expect(answered.has('code')).toBe(false);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('a wrong password is said, and the person may try again', async () => {
    const { context, page } = await openWatched(browser);
    const { authorizeUrl } = await askForPerson('Forgetful');
    await page.goto(authorizeUrl);
    await page.locator(allow).click();
    await page.locator('input[name=username]').fill('demo');
    await page.locator('input[name=password]').fill('not the password');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[role=alert]');
    await takePicture(page, 'sign-in-wrong-password');
    await page.locator('input[name=password]').fill('Gatehouse-Demo-1');
    await page.keyboard.press('Enter');
    expect((await listener.callback()).has('code')).toBe(true);
    await context.close();
  });

  it.each(['light', 'dark'] as const)('the front page is whole, in %s', async (colorScheme) => {
    const { context, page, complaints } = await openWatched(browser, { colorScheme });
    await page.goto(stack.issuer);
    expect(await page.locator('main').innerText()).toContain(stack.mcp);
    expect(await fitsWidth(page)).toBe(true);
    expect(await isDark(page)).toBe(colorScheme === 'dark');
    await takePicture(page, `front-${colorScheme}`);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('a consent form is worth nothing in another browser', async () => {
    const mine = await openWatched(browser);
    const theirs = await openWatched(browser);
    const { authorizeUrl } = await askForPerson('Planted');
    await Promise.all([mine.page.goto(authorizeUrl), theirs.page.goto(authorizeUrl)]);
    const form = await mine.page.locator('input[name=request]').inputValue();
    await theirs.page.locator('input[name=request]').evaluate((input, value) => {
      (input as unknown as { value: string }).value = value;
    }, form);
    expect(await statusAfter(theirs.page, () => theirs.page.locator(allow).click())).toBe(403);
    await takePicture(theirs.page, 'consent-refused');
    expect(await theirs.page.locator('main').innerText()).toContain('another browser');
    await Promise.all([mine.context.close(), theirs.context.close()]);
  });

  describe('with a page of another site', () => {
    let site: Server;
    let siteOrigin: string;
    let html: string;

    beforeAll(async () => {
      site = createServer((_, res) => res.writeHead(200, { 'content-type': 'text/html' }).end(html));
      site.listen(0, '127.0.0.1');
      await once(site, 'listening');
      // Another site and not merely another port: the product is at `localhost`.
      siteOrigin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    });

    afterAll(() => site?.close());

    it('the consent page cannot be framed', async () => {
      const { context, page, complaints } = await openWatched(browser);
      const { authorizeUrl } = await askForPerson('Framed');
      html = `<!doctype html><title>Win a prize</title><iframe src="${authorizeUrl.replaceAll('&', '&amp;')}"></iframe>`;
      await page.goto(siteOrigin, { waitUntil: 'load' });
      // The refusal is what is waited for: when the outer page has loaded, the frame may not have learnt of it yet.
      await expect.poll(() => complaints.join('\n'), { timeout: 20_000 }).toMatch(/frame-ancestors|X-Frame-Options/);
      const [, frame] = page.frames();
      expect(frame?.url()).not.toContain('/authorize');
      expect(await frame?.locator('button').count()).toBe(0);
      await context.close();
    });

    it('cannot answer for the person', async () => {
      const { context, page } = await openWatched(browser);
      const { authorizeUrl } = await askForPerson('Clicked');
      await page.goto(authorizeUrl);
      const form = await page.locator('input[name=request]').inputValue();
      html = `<!doctype html><title>Win a prize</title><form method="post" action="${stack.issuer}/consent">
        <input type="hidden" name="request" value="${form}"><button name="decision" value="allow">Win</button></form>`;
      await page.goto(siteOrigin);
      expect(await statusAfter(page, () => page.locator(allow).click())).toBe(403);
      expect(await page.locator('main').innerText()).toContain('another site');
      await context.close();
    });
  });

  /** An SDK client that has registered and now wants a person to open an address. */
  async function askForPerson(clientName: string) {
    const application = memoryProvider<StoredOAuthClientInformation, StoredOAuthTokens, OAuthDiscoveryState>(
      listener.redirectUri,
      clientName,
    );
    const { transport, connected } = connect(application.provider);
    await expect(connected).rejects.toThrow(UnauthorizedError);
    return { application, transport, authorizeUrl: String(application.opened[0]) };
  }

  function connect(authProvider: OAuthClientProvider) {
    const transport = new StreamableHTTPClientTransport(new URL(stack.mcp), { authProvider });
    const client = new Client({ name: 'stranger', version: '2' }, { versionNegotiation: { mode: 'auto' } });
    return { transport, client, connected: client.connect(transport) };
  }
});

/** The status of the page that an action leads to. */
async function statusAfter(page: Page, action: () => Promise<void>): Promise<number | undefined> {
  const [response] = await Promise.all([page.waitForResponse((one) => one.request().isNavigationRequest()), action()]);
  return response.status();
}
