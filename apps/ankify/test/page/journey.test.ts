/** The page in a real Chromium before the whole product: a deck from a pasted list to a file for Anki, and everything between. */
import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { launchChromium, skipReason, tabTo } from '../../../../conformance/strangers/browser.ts';
import { cardsOf, field, makeDeck, type PageStack, saved, signIn, soon, startPageStack, visit } from './visit.ts';

if (skipReason) console.warn(skipReason);

const hostile = [
  ['-v --help', 'AT&T <script>document.title="taken"</script>'],
  ['<img src=x onerror=alert(1)>', '"><b>bold</b>'],
  ['שלום', '😀 {{c1::no gap here}}'],
] as const;

/** In the browser, from base64: how long the clip is, in seconds, once decoded. */
const decode = (bytes: Buffer) => `(async () => {
  const bytes = Uint8Array.from(atob(${JSON.stringify(bytes.toString('base64'))}), (char) => char.charCodeAt(0));
  const buffer = await new AudioContext().decodeAudioData(bytes.buffer);
  const loudest = Math.max(...buffer.getChannelData(0).map(Math.abs));
  return { seconds: buffer.duration, loudest };
})()`;

describe.skipIf(skipReason)(`Ankify’s page ${skipReason}`.trim(), { timeout: 90_000 }, () => {
  let stack: PageStack;
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
    stack = await startPageStack();
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
  });

  it('makes, edits, hears, downloads and signs out', async () => {
    onTestFailed(() => console.error(stack.output().slice(-4000)));
    const { context, page, faults } = await visit(browser, stack);
    await signIn(page);
    expect(page.url()).toBe(`${stack.page}/`);

    await page.goto(`${stack.page}/new`);
    const text = 'der Hund - the dog\nnothing of that kind\ndie Katze - the cat\ndas Pferd - the horse';
    await page.getByRole('textbox', { name: 'Your list' }).fill(text);
    await page.getByRole('textbox', { name: 'Name of the deck' }).fill('Animals::Farm');
    await page.getByLabel('Language of the front').selectOption('de-DE');
    await page.getByLabel('Language of the back').selectOption('en-US');
    await page.locator('input[name=speech][value=recorded]').check();
    await page.locator('.row-errors button', { hasText: 'Line 2' }).click();
    expect(await page.evaluate('getSelection().toString()')).toBe('nothing of that kind');
    expect(await page.locator('.preview-cards li').count()).toBe(3);
    // What the server will charge: the six sides.
    expect(await page.locator('.cost').innerText()).toContain('about 49 characters');
    await page.getByRole('button', { name: 'Create deck' }).click();
    await page.locator('.card').first().waitFor();
    expect(await cardsOf(page)).toEqual([
      ['der Hund', 'the dog'],
      ['die Katze', 'the cat'],
      ['das Pferd', 'the horse'],
    ]);

    await field(page, 2, 'back').fill('the tomcat');
    await page.locator('[data-status=unsaved], [data-status=saving]').first().waitFor();
    await saved(page);
    const hear = page.locator('.cards > li').nth(1).locator('[data-hear=back]');
    expect(await hear.getAttribute('aria-label')).toBe('Hear the back (English, recorded)');
    // Chromium does not show its tools what a page reads as a blob: looked at on the way.
    let clip: Buffer = Buffer.alloc(0);
    await page.route('**/ankify/api/audio?*', async (route) => {
      const response = await route.fetch();
      if (route.request().method() === 'GET') clip = await response.body();
      await route.fulfill({ response });
    });
    await hear.click();
    await page.locator('[data-hear=back][data-state=playing]').waitFor();
    const sound = await page.evaluate<{ seconds: number; loudest: number }>(decode(clip));
    expect(sound.seconds).toBeGreaterThan(0.3);
    expect(sound.loudest).toBeGreaterThan(0.05);

    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download for Anki' }).click(),
    ]);
    const files = unzipSync(readFileSync(await download.path()));
    expect(download.suggestedFilename()).toMatch(/Animals.*Farm\.apkg$/);
    expect(Buffer.from(files['collection.anki2'] ?? []).toString('latin1', 0, 15)).toBe('SQLite format 3');
    expect(Buffer.from(files['collection.anki2'] ?? []).includes('the tomcat')).toBe(true);
    expect(Object.values(JSON.parse(Buffer.from(files.media ?? []).toString()))).toHaveLength(6);
    expect(await page.locator('.note.is-good').innerText()).toContain('nothing is doubled');

    await page.reload();
    await expect.poll(() => field(page, 2, 'back').inputValue(), soon).toBe('the tomcat');
    const kept = await page.evaluate<string>(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])',
    );
    // Neither token is anywhere that a script could take it from later.
    expect(kept).not.toMatch(/eyJ|Bearer|refresh/);

    const other = await context.newPage();
    await other.goto(`${stack.page}/usage`);
    await other.locator('.meter').first().waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.locator('.welcome').waitFor();
    await other.locator('.welcome').waitFor();
    await page.reload();
    await page.locator('.welcome').waitFor();
    expect(faults()).toEqual([]);
    await context.close();
  });

  it('can be used by keyboard alone', async () => {
    const { context, page, faults } = await visit(browser, stack);
    await page.locator('.welcome').waitFor();
    await tabTo(page, '.welcome .button.is-main');
    await page.keyboard.press('Enter');
    await page.locator('button[value=allow]').waitFor();
    await tabTo(page, 'button[value=allow]');
    await page.keyboard.press('Enter');
    await page.locator('input[name=password]').waitFor();
    await tabTo(page, 'input[name=username]');
    await page.keyboard.type('demo');
    await tabTo(page, 'input[name=password]');
    await page.keyboard.type('Gatehouse-Demo-1');
    await page.keyboard.press('Enter');
    await page.locator('main a[href="/new"]').waitFor();
    await tabTo(page, 'main a[href="/new"]', 20);
    await page.keyboard.press('Enter');
    await page.locator('.list-text').waitFor();
    await tabTo(page, '.list-text', 20);
    await page.keyboard.type('eins - one\nzwei - two\ndrei - three');
    await tabTo(page, '.make-details input[type=text]', 20);
    await page.keyboard.type('By keyboard');
    await page.locator('.preview-cards li').nth(2).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.card').nth(2).waitFor();

    await tabTo(page, '.cards > li:first-child textarea[data-part=front]', 20);
    await page.keyboard.press('End');
    await page.keyboard.type('!');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.value')).toBe('one');
    await page.keyboard.press('Control+Enter');
    await page.keyboard.type('eineinhalb');
    await page.keyboard.press('Enter');
    await page.keyboard.type('one and a half');
    await page.keyboard.press('Alt+ArrowUp');
    // The same field has the focus, wherever the card has gone.
    await page.keyboard.type('!');
    await saved(page);
    expect(await cardsOf(page)).toEqual([
      ['eineinhalb', 'one and a half!'],
      ['eins!', 'one'],
      ['zwei', 'two'],
      ['drei', 'three'],
    ]);
    await page.keyboard.press('Alt+Delete');
    expect(await page.locator('.card.is-removed').count()).toBe(1);
    await page.keyboard.press('Enter');
    expect(await page.locator('.card.is-removed').count()).toBe(0);
    await field(page, 4, 'back').focus();
    await page.keyboard.press('Enter');
    await page.keyboard.type('vier');
    await page.keyboard.press('Enter');
    await page.keyboard.type('four');
    await saved(page);
    await page.reload();
    await expect.poll(() => cardsOf(page), soon).toHaveLength(5);
    expect((await cardsOf(page)).at(-1)).toEqual(['vier', 'four']);
    expect(faults()).toEqual([]);
    await context.close();
  });

  it('deletes for good only after the time to take it back', async () => {
    const { context, page } = await visit(browser, stack);
    await signIn(page);
    const address = await makeDeck(page, stack.page, { name: 'Deleting', text: 'a - 1\nb - 2\nc - 3' });
    await page.getByRole('button', { name: 'Delete, Card 2' }).click();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: 'Delete, Card 1' }).click();
    await expect.poll(() => page.locator('.cards > li').count(), { timeout: 20_000 }).toBe(2);
    await saved(page);
    await page.goto(address);
    await expect
      .poll(() => cardsOf(page), soon)
      .toEqual([
        ['b', '2'],
        ['c', '3'],
      ]);
    await context.close();
  });

  it('shows hostile text as text', async () => {
    const { context, page, faults } = await visit(browser, stack);
    await signIn(page);
    const text = hostile.map((sides) => sides.join('\t')).join('\n');
    await makeDeck(page, stack.page, { name: '<b>Deck</b> & "quotes"', text });
    expect(await cardsOf(page)).toEqual(hostile);
    await page.goto(stack.page);
    const tile = page.locator('.deck-tile', { hasText: '<b>Deck</b> & "quotes"' });
    await tile.waitFor();
    expect(await page.locator('main script, main img, main b').count()).toBe(0);
    expect(await page.title()).toBe('Decks – Ankify');
    expect(faults()).toEqual([]);
    await context.close();
  });

  it('keeps what was written without a network, also when the tab is closed', async () => {
    const { context, page } = await visit(browser, stack);
    await signIn(page);
    const address = await makeDeck(page, stack.page, { name: 'Offline', text: 'a - 1\nb - 2' });
    await context.setOffline(true);
    await field(page, 1, 'front').fill('written in a tunnel');
    await page.locator('[data-status=waiting]').waitFor();
    expect(await page.locator('.status').innerText()).toContain('kept on this device');
    await context.setOffline(false);
    await saved(page);

    await context.setOffline(true);
    await field(page, 2, 'back').fill('closed too early');
    await page.locator('[data-status=waiting]').waitFor();
    await page.close();
    await context.setOffline(false);
    const again = await context.newPage();
    await again.goto(address);
    await expect.poll(() => field(again, 2, 'back').inputValue(), soon).toBe('closed too early');
    await saved(again);
    await again.reload();
    await expect
      .poll(() => cardsOf(again), soon)
      .toEqual([
        ['written in a tunnel', '1'],
        ['b', 'closed too early'],
      ]);
    expect(await again.evaluate('Object.keys(localStorage).filter((key) => key.includes("unsaved"))')).toEqual([]);
    await context.close();
  });

  it('puts the work of two windows together, and asks where both changed the same', async () => {
    const { context, page } = await visit(browser, stack);
    await signIn(page);
    const address = await makeDeck(page, stack.page, { name: 'Two windows', text: 'a - 1\nb - 2\nc - 3' });
    const other = await context.newPage();
    await other.goto(address);
    await field(other, 1, 'back').fill('theirs');
    await field(other, 3, 'front').fill('their c');
    await saved(other);

    await field(page, 1, 'back').fill('mine');
    await field(page, 2, 'front').fill('my b');
    await page.locator('[data-status=conflict]').waitFor();
    const panel = page.locator('.changed');
    expect(await panel.innerText()).toContain('2 cards changed');
    expect(await panel.locator('dd').allInnerTexts()).toEqual(['mine', 'theirs']);
    await page.getByRole('button', { name: 'Keep mine' }).click();
    await saved(page);
    const together = [
      ['a', 'mine'],
      ['my b', '2'],
      ['their c', '3'],
    ];
    expect(await cardsOf(page)).toEqual(together);
    await other.reload();
    await expect.poll(() => cardsOf(other), soon).toEqual(together);
    await context.close();
  });

  it.each([
    ['that it did not begin', undefined],
    ['with another state', { state: 'theirs' }],
    ['of another server', { iss: 'https://evil.example' }],
  ])('refuses an answer to a sign-in %s', async (_, wrong) => {
    const { context, page } = await visit(browser, stack);
    let state = 'none';
    if (wrong) {
      await page.locator('.welcome .button.is-main').click();
      await page.locator('button[value=allow]').waitFor();
      state = new URL(page.url()).searchParams.get('state') ?? '';
      expect(state).toHaveLength(43);
    }
    const forged = new URLSearchParams({ code: 'stolen', state, iss: stack.issuer, ...wrong });
    const sent: string[] = [];
    page.on('request', (request) => sent.push(`${request.method()} ${new URL(request.url()).pathname}`));
    await page.goto(`${stack.page}/signed-in?${forged}`);
    await page.locator('.note.is-bad').waitFor();
    expect(page.url()).toBe(`${stack.page}/`);
    expect(sent).not.toContain('POST /session');
    await context.close();
  });

  it('takes a no for an answer', async () => {
    const { context, page } = await visit(browser, stack);
    await page.goto(`${stack.page}/usage`);
    await page.locator('.welcome .button.is-main').click();
    await page.locator('button[value=deny]').click();
    await page.locator('.note.is-bad').waitFor();
    expect(await page.locator('.note.is-bad').innerText()).toContain('You did not allow access');
    // And where one wanted to go is still known.
    await signInAgain(page);
    await page.locator('.meter').first().waitFor();
    await context.close();
  });
});

async function signInAgain(page: Page): Promise<void> {
  await page.locator('.welcome .button.is-main').click();
  await page.locator('button[value=allow]').click();
  await page.locator('input[name=username]').fill('demo');
  await page.locator('input[name=password]').fill('Gatehouse-Demo-1');
  await page.keyboard.press('Enter');
}
