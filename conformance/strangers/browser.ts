/** A real Chromium, without a window, that writes down every complaint of its console and every breach of a CSP. */
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Where it usually is; `CHROMIUM` names another place. */
const places = process.env.CHROMIUM
  ? [process.env.CHROMIUM]
  : [
      '/usr/bin/chromium',
      '/usr/bin/chromium-browser',
      '/usr/bin/google-chrome',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    ];

const chromiumPath = places.find((place) => existsSync(place));

/** Why the tests of this machine can do without: never in continuous integration, where a gap would go unseen. */
export const skipReason =
  chromiumPath === undefined && process.env.CI !== 'true'
    ? 'skipped: there is no Chromium here (CHROMIUM may name one)'
    : '';

export async function launchChromium(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error(`There is no Chromium at any of ${places.join(', ')}.`);
  return chromium.launch({
    executablePath: chromiumPath,
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Chromium's sandbox refuses to run as root, which is what a container usually is.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
  });
}

export interface Watched {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Errors and warnings of the console, exceptions, and breaches of a content security policy. */
  readonly complaints: string[];
}

// Scripts for the browser are text, because this program is compiled without the types of one.
const reportBreaches = `document.addEventListener('securitypolicyviolation', (event) => {
  console.error('CSP ' + event.effectiveDirective + ' ' + event.blockedURI);
});`;

/** A person's browser: cookies and all of its own. */
export async function openWatched(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await context.addInitScript({ content: reportBreaches });
  return { context, page, complaints };
}

/** Presses Tab until the focus is on what `selector` names, as a person without a mouse would. Resolves to how often. */
export async function tabTo(page: Page, selector: string, atMost = 10): Promise<number> {
  for (let presses = 0; presses <= atMost; presses++) {
    if (await page.locator(selector).and(page.locator(':focus')).count()) return presses;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${selector}`);
}

/** Whether everything fits its width: nobody has to scroll sideways (WCAG 2.2, 1.4.10: at 320 CSS pixels). */
export async function fitsWidth(page: Page, width = 320): Promise<boolean> {
  const before = page.viewportSize();
  await page.setViewportSize({ width, height: 640 });
  const fits = await page.evaluate<boolean>(
    'document.documentElement.scrollWidth <= document.documentElement.clientWidth',
  );
  if (before) await page.setViewportSize(before);
  return fits;
}

/** Whether the page's ground is dark, as the person asked for it to be. */
export async function isDark(page: Page): Promise<boolean> {
  const colour = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
  const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return red + green + blue < 3 * 128;
}

/** Pictures for whoever wants to look: their directory is printed. */
export function pictures(): (page: Page, name: string) => Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-pictures-'));
  console.log(`pictures: ${directory}`);
  return async (page, name) => {
    await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true });
  };
}
