/** Files, gaps, settings and the list of decks: what is beside the main road, in a real browser before the whole product. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, skipReason } from '../../../../conformance/strangers/browser.ts';
import { cardsOf, field, makeDeck, type PageStack, saved, signIn, soon, startPageStack, visit } from './visit.ts';

if (skipReason) console.warn(skipReason);

describe.skipIf(skipReason)(`beside the main road ${skipReason}`.trim(), { timeout: 90_000 }, () => {
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

  it('reads files of any program, and refuses what is no text', async () => {
    const { context, page } = await visit(browser, stack);
    await signIn(page);
    await page.goto(`${stack.page}/new`);
    const give = async (name: string, buffer: Buffer) => {
      await page.locator('input[name=way][value=file]').check();
      await page.locator('input[type=file]').setInputFiles({ name, mimeType: 'text/plain', buffer });
    };
    await give('picture.csv', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 1]));
    await page.locator('.note.is-bad', { hasText: 'This is no text file' }).waitFor();
    await give('huge.txt', Buffer.alloc(500_001, 'a'));
    await page.locator('.note.is-bad', { hasText: 'larger than 500 KB' }).waitFor();
    const list = page.getByRole('textbox', { name: 'Your list' });
    for (const [encoding, bytes] of [
      ['UTF-8 with a mark', Buffer.from('\uFEFFÄpfel;apples\nÖl;oil\n')],
      ['UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('Äpfel;apples\nÖl;oil\n', 'utf16le')])],
      ['Windows', Buffer.from('Äpfel;apples\nÖl;oil\n', 'latin1')],
    ] as const) {
      await give(`${encoding}.csv`, bytes);
      await list.waitFor();
      expect(await list.inputValue(), encoding).toBe('Äpfel;apples\nÖl;oil\n');
    }
    await expect.poll(() => page.locator('.preview-front').allInnerTexts(), soon).toEqual(['Äpfel', 'Öl']);
    expect(await page.getByRole('textbox', { name: 'Name of the deck' }).inputValue()).toBe('UTF-8 with a mark');

    // From the view of the file, a line that is no card leads into the text.
    await list.fill('apple - Apfel\noil - Öl\nnothing');
    await page.locator('.row-errors button').waitFor();
    await page.locator('input[name=way][value=file]').check();
    await page.locator('.row-errors button').click();
    await expect.poll(() => page.evaluate('getSelection().toString()'), soon).toBe('nothing');
    await context.close();
  });

  it('makes gaps of words', async () => {
    const { context, page } = await visit(browser, stack);
    await signIn(page);
    await makeDeck(page, stack.page, { name: 'Gaps', text: 'Bern is the **capital** of Switzerland.' });
    const sentence = field(page, 1, 'front');
    expect(await sentence.inputValue()).toBe('Bern is the {{c1::capital}} of Switzerland.');
    await sentence.press('Control+Home');
    await page.getByRole('button', { name: 'Make a gap' }).click();
    expect(await sentence.inputValue()).toBe('{{c2::Bern}} is the {{c1::capital}} of Switzerland.');
    await saved(page);
    await sentence.fill('No gap at all');
    await page.locator('.card-lack').waitFor();
    await page.reload();
    // Not sent, since no card can be made of it; not lost either.
    await expect.poll(() => sentence.inputValue(), soon).toBe('No gap at all');
    await context.close();
  });

  it('changes the settings of a deck, and says which voice one hears', async () => {
    const { context, page } = await visit(browser, stack);
    await signIn(page);
    const address = await makeDeck(page, stack.page, {
      name: 'Settings',
      text: 'der Hund - the dog',
      front: 'de-DE',
      speech: 'device',
    });
    const voices = () =>
      page.locator('[data-hear]').evaluateAll((all) => all.map((one) => String(one.getAttribute('aria-label'))));
    expect(await voices()).toEqual(['Hear the front (German, voice of this device)']);
    await page.getByRole('textbox', { name: 'Name of the deck' }).fill('Renamed::Twice');
    await page.keyboard.press('Enter');
    await page.locator('.settings summary', { hasText: 'Settings' }).click();
    await page.getByLabel('Language of the back').selectOption('en-GB');
    await page.locator('input[name=speech][value=recorded]').check();
    await expect
      .poll(voices, soon)
      .toEqual(['Hear the front (German, recorded)', 'Hear the back (British English, recorded)']);
    await saved(page);
    await page.getByLabel('Language of the front').selectOption('');
    await page.getByLabel('Language of the back').selectOption('');
    await expect.poll(voices, soon).toEqual([]);
    await saved(page);
    await page.goto(address);
    await expect
      .poll(() => page.getByRole('textbox', { name: 'Name of the deck' }).inputValue(), soon)
      .toBe('Renamed::Twice');
    await context.close();
  });

  it('says which card the server refuses, keeps it, and goes on once it is mended', async () => {
    const { context, page } = await visit(browser, stack);
    await signIn(page);
    const address = await makeDeck(page, stack.page, { name: 'Refused', text: 'a - 1\nb - 2' });
    await page.getByRole('button', { name: 'Note and tags, Card 2' }).click();
    await field(page, 2, 'tags').fill('x'.repeat(150));
    await page.locator('[data-status=refused]').waitFor();
    expect(await page.locator('.card').nth(1).locator('.card-lack').innerText()).toContain('<=100 characters');
    expect(await page.locator('.card').nth(0).locator('.card-lack').count()).toBe(0);
    expect(await page.locator('.status').innerText()).toContain('a card needs a correction');
    await field(page, 2, 'tags').fill('short');
    await saved(page);
    expect(await page.locator('.note.is-bad, .card-lack').count()).toBe(0);
    await page.goto(address);
    await page.locator('.card .tag', { hasText: 'short' }).waitFor();
    await context.close();
  });

  it('finds, sorts and deletes decks', async () => {
    const { context, page } = await visit(browser, stack);
    await signIn(page);
    for (const [name, text] of [
      ['Café', 'a - 1\nb - 2\nc - 3'],
      ['Zebra', 'a - 1'],
      ['Deck 10', 'a - 1\nb - 2'],
      ['Deck 9', 'a - 1'],
    ] as const) {
      await makeDeck(page, stack.page, { name, text });
    }
    await page.goto(stack.page);
    const names = () => page.locator('.deck-name').allInnerTexts();
    const mine = async () => (await names()).filter((name) => ['Café', 'Zebra', 'Deck 10', 'Deck 9'].includes(name));
    await page.getByLabel('Sort by').selectOption('name');
    await expect.poll(mine, soon).toEqual(['Café', 'Deck 9', 'Deck 10', 'Zebra']);
    await page.getByLabel('Sort by').selectOption('cards');
    expect((await names())[0]).toBe('Café');
    await page.reload();
    await expect.poll(async () => (await names())[0], soon).toBe('Café');
    await page.getByLabel('Search decks').fill('CAFE');
    expect(await names()).toEqual(['Café']);
    expect(await page.locator('.find [role=status]').innerText()).toBe('1 deck');
    await page.getByLabel('Search decks').fill('<nothing>');
    expect(await page.locator('.nothing').innerText()).toContain('No deck is called “<nothing>”.');
    await page.getByRole('button', { name: 'Show all decks' }).click();

    await page.locator('.deck-tile', { hasText: 'Zebra' }).click();
    await page.locator('.settings summary', { hasText: 'Settings' }).click();
    await page.getByRole('button', { name: 'Delete deck' }).click();
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Delete deck' }).click();
    await page.getByRole('button', { name: 'Delete for good' }).click();
    await page.locator('.deck-tile').first().waitFor();
    await expect.poll(mine, soon).toHaveLength(3);
    await context.close();
  });

  it('moves cards by mouse and keeps their order', async () => {
    const { context, page } = await visit(browser, stack);
    await signIn(page);
    const address = await makeDeck(page, stack.page, { name: 'Order', text: 'a - 1\nb - 2\nc - 3' });
    await page.getByRole('button', { name: 'Move down, Card 1' }).click();
    await page.getByRole('button', { name: 'Move down, Card 2' }).click();
    await saved(page);
    await page.goto(address);
    await expect
      .poll(() => cardsOf(page), soon)
      .toEqual([
        ['b', '2'],
        ['c', '3'],
        ['a', '1'],
      ]);
    await context.close();
  });
});
