/** What takes time: a language model that writes, speech that is recorded, connections and tokens that end meanwhile. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { launchChromium, skipReason } from '../../../../conformance/strangers/browser.ts';
import { cardsOf, makeDeck, type PageStack, signIn, soon, startPageStack, visit } from './visit.ts';

if (skipReason) console.warn(skipReason);

describe.skipIf(skipReason)(`the page while it waits ${skipReason}`.trim(), { timeout: 90_000 }, () => {
  let stack: PageStack;
  let browser: Browser;
  let model: Server;
  /** Ends the wait of the next answer of the model. */
  let answer: (() => void) | undefined;

  beforeAll(async () => {
    // Speaks the protocol of OpenAI's chat completions, and answers when it is told to.
    model = createServer(async (request, response) => {
      for await (const _ of request);
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      const cards = [
        { front: 'il conto', back: 'the bill', extra: '', tags: [] },
        { front: 'il cameriere', back: 'the waiter', extra: '', tags: [] },
      ];
      const message = { role: 'assistant', content: JSON.stringify({ cards }) };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          id: 'x',
          object: 'chat.completion',
          model: 'small',
          choices: [{ index: 0, finish_reason: 'stop', message }],
          usage: { prompt_tokens: 300, completion_tokens: 60, total_tokens: 360 },
        }),
      );
    });
    model.listen(0, '127.0.0.1');
    await once(model, 'listening');
    browser = await launchChromium();
    stack = await startPageStack({
      ANKIFY_MODEL: 'openai:small',
      OPENAI_BASE_URL: `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`,
      OPENAI_API_KEY: 'none',
    });
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
    model?.close();
  });

  it('has a topic written, also across a reload', async () => {
    onTestFailed(() => console.error(stack.output().slice(-4000)));
    const { context, page, faults } = await visit(browser, stack);
    await signIn(page);
    await page.goto(`${stack.page}/new`);
    await page.locator('input[name=way][value=topic]').check();
    await page.getByRole('button', { name: 'Write the cards' }).click();
    expect(await page.locator('.hint.is-bad').innerText()).toContain('Say what the cards shall be about');
    await page.getByRole('textbox', { name: 'Topic' }).fill('In the restaurant');
    await page.getByLabel('Number of cards').fill('2');
    expect(await page.locator('.cost').innerText()).toMatch(/up to about 2,400 tokens; 1,000,000 are left/);
    await page.getByRole('button', { name: 'Write the cards' }).click();
    await page.locator('.progress progress').waitFor();
    await expect.poll(() => answer !== undefined, soon).toBe(true);
    await page.reload();
    await page.locator('.progress progress').waitFor();
    answer?.();
    await page.locator('.card').first().waitFor();
    expect(await cardsOf(page)).toEqual([
      ['il conto', 'the bill'],
      ['il cameriere', 'the waiter'],
    ]);
    await page.goto(`${stack.page}/usage`);
    await expect.poll(() => page.locator('.meter').last().innerText(), soon).toContain('360 of 1,000,000 tokens');
    expect(faults()).toEqual([]);
    await context.close();
  });

  it('shows how far the recording is, and finds it again when the connection breaks', async () => {
    const { context, page } = await visit(browser, stack);
    await signIn(page);
    let streams = 0;
    await page.route('**/ankify/api/jobs/*', async (route) => {
      streams += 1;
      if (streams === 1) await route.abort('connectionreset');
      else await route.continue();
    });
    const words = Array.from({ length: 30 }, (_, index) => `Wort Nummer ${index} ${Math.random()} - word ${index}`);
    await makeDeck(page, stack.page, {
      name: 'Long',
      text: words.join('\n'),
      front: 'de-DE',
      back: 'en-US',
      speech: 'recorded',
    });
    const download = page.waitForEvent('download', { timeout: 60_000 });
    await page.getByRole('button', { name: 'Download for Anki' }).click();
    await page.locator('.progress', { hasText: 'connecting again' }).waitFor();
    await page.locator('.progress', { hasText: /[1-9]\d* of 60/ }).waitFor();
    expect(await page.locator('.progress progress').getAttribute('max')).toBe('60');
    expect((await download).suggestedFilename()).toBe('Long.apkg');
    expect(streams).toBeGreaterThan(1);
    await context.close();
  });

  it('takes a new token when its own has ended, and says so when the session has', async () => {
    const { context, page } = await visit(browser, stack);
    await page.clock.install();
    await signIn(page);
    const asked: string[] = [];
    page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      if (pathname === '/session/token') asked.push(String(response.status()));
    });
    await page.clock.fastForward('20:00');
    await page.getByRole('link', { name: 'Usage' }).click();
    await page.locator('.meter').first().waitFor();
    expect(asked).toEqual(['200']);
    await context.clearCookies();
    await page.clock.fastForward('20:00');
    await page.locator('header a[href="/"]').last().click();
    await page.locator('.welcome').waitFor();
    expect(await page.locator('.note.is-bad').innerText()).toContain('Your session has ended');
    await context.close();
  });

  it('says in the person’s language what is wrong, and what the server says', async () => {
    const { context, page } = await visit(browser, stack, { locale: 'de-DE' });
    await signIn(page);
    await page.goto(`${stack.page}/new`);
    await page.getByRole('textbox', { name: 'Deine Liste' }).fill('a - 1');
    await page.getByRole('textbox', { name: 'Name des Decks' }).fill('::');
    await page.locator('.preview-cards li').first().waitFor();
    await page.getByRole('button', { name: 'Deck anlegen' }).click();
    const note = page.locator('.note.is-bad');
    await note.waitFor();
    expect(await note.innerText()).toContain('So lassen sich die Karten nicht speichern. Berichtige, was genannt ist');
    expect(await note.locator('[lang=en]').innerText()).toContain('sub-decks are written Parent::Child');
    await context.close();
  });
});
