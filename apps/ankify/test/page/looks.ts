/** What a look at the page can find: names, contrast, widths, targets, focus (WCAG 2.2 A and AA), computed by the browser. */
import type { Page } from 'playwright-core';

// Text, because this program is compiled without the types of a browser.
const inspect = String.raw`(() => {
  const faults = [];
  const isShown = (element) => {
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: false })) return false;
    const { width, height } = element.getBoundingClientRect();
    return width > 1 && height > 1;
  };
  const tell = (what, element) =>
    faults.push(what + ': ' + element.outerHTML.replace(/\s+/g, ' ').slice(0, 140));

  // 4.1.2, 3.3.2: everything that can be used has a name.
  const nameOf = (element) => {
    const by = (element.getAttribute('aria-labelledby') ?? '').split(' ').filter(Boolean);
    return [
      element.getAttribute('aria-label'),
      ...by.map((id) => document.getElementById(id)?.textContent),
      ...[...(element.labels ?? [])].map((label) => label.textContent),
      /^(A|BUTTON|SUMMARY)$/.test(element.tagName) ? element.textContent : '',
      element.closest('fieldset') && element.type === 'radio' ? element.parentElement.textContent : '',
    ].join('').trim();
  };
  const usable = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, meter, progress')];
  for (const element of usable) if (nameOf(element) === '') tell('no name', element);
  for (const element of document.querySelectorAll('svg'))
    if (!element.closest('[aria-hidden=true]')) tell('a picture without a name', element);
  for (const set of document.querySelectorAll('fieldset'))
    if (!set.querySelector('legend')?.textContent.trim()) tell('a group without a name', set);

  // 1.3.1, 2.4.2, 3.1.1
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  if (new Set(ids).size !== ids.length) faults.push('an id twice: ' + ids.filter((id, at) => ids.indexOf(id) !== at));
  if (!/^(en|de)$/.test(document.documentElement.lang)) faults.push('no language');
  if (document.querySelectorAll('main h1').length !== 1) faults.push('not one h1');
  if (document.title.trim() === '') faults.push('no title');
  for (const element of document.querySelectorAll('[style]:not([style=""])')) tell('an inline style', element);
  for (const element of document.querySelectorAll('[aria-describedby]'))
    for (const id of element.getAttribute('aria-describedby').split(' '))
      if (!document.getElementById(id)) tell('describes nothing', element);

  // 1.4.3: contrast, with what really lies below. A canvas knows every way to write a colour.
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const groundOf = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const layer = rgba(getComputedStyle(at).backgroundColor);
      if (layer[3] > 0) layers.push(layer);
      if (layer[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((one) => one / 255).map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  };
  let worst = 99;
  const check = (element, colour, opacity) => {
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ground = groundOf(element);
    const [r, g, b, a] = rgba(colour);
    const found = ratio(over([r, g, b, a * opacity], ground), ground);
    worst = Math.min(worst, found);
    if (found < (isLarge ? 3 : 4.5)) tell('contrast ' + found.toFixed(2), element);
  };
  let checked = 0;
  for (const element of document.body.querySelectorAll('*')) {
    if (!isShown(element) || element.closest('[aria-hidden=true], .only-heard, .skip, option, noscript')) continue;
    // 1.4.3 leaves out what cannot be used.
    if (element.matches(':disabled') || element.closest('label')?.control?.disabled) continue;
    const isField = /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);
    const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
    if (!says && !isField) continue;
    checked += 1;
    check(element, getComputedStyle(element).color, 1);
    if (isField && element.placeholder && element.value === '') {
      const holder = getComputedStyle(element, '::placeholder');
      check(element, holder.color, Number(holder.opacity));
    }
  }
  if (checked < 5) faults.push('hardly any text was looked at: ' + checked);

  // 1.4.11: the edge of a control, where nothing else says that it is one.
  for (const element of document.querySelectorAll('.field input, .field select, .list-text, .choice-face')) {
    const style = getComputedStyle(element);
    const edge = rgba(style.borderTopColor);
    if (!isShown(element) || edge[3] === 0 || element.previousElementSibling?.disabled) continue;
    if (ratio(edge, groundOf(element.parentElement)) < 3) tell('edge ' + ratio(edge, groundOf(element.parentElement)).toFixed(2), element);
  }

  // 1.4.10, 1.4.12: nothing stands out of its box, where it would be cut off or lie over others.
  for (const element of document.body.querySelectorAll('*')) {
    if (!isShown(element) || /^(INPUT|TEXTAREA|SELECT|svg|path|rect)$/.test(element.tagName)) continue;
    if (element.closest('.pile, .only-heard') || element.clientWidth === 0) continue;
    if (element.scrollWidth > element.clientWidth + 1) tell('wider than its box', element);
  }

  // 2.5.8: targets of at least 24 pixels; a link within a sentence is left out.
  for (const element of usable) {
    if (!isShown(element) || element.closest('p, .only-heard, .skip') || /^(METER|PROGRESS)$/.test(element.tagName)) continue;
    const { width, height } = (element.labels?.[0] ?? element).getBoundingClientRect();
    if (width < 24 || height < 24) tell('a target of ' + width + ' x ' + height, element);
  }
  return { faults, checked, worst };
})()`;

const focused = `(() => {
  const element = document.activeElement;
  if (!element || element === document.body) return undefined;
  const shows = (one) => {
    const style = one && getComputedStyle(one);
    return style !== undefined && style !== null && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  };
  const isSeen = shows(element) || shows(element.nextElementSibling) || shows(element.closest('.drop')) || element.matches('.skip');
  return { isSeen, what: element.outerHTML.replace(/\\s+/g, ' ').slice(0, 140) };
})()`;

export interface Look {
  /** Each breach in words; empty is what is wanted. */
  readonly faults: readonly string[];
  /** The lowest contrast of a text. */
  readonly worst: number;
}

export async function look(page: Page): Promise<Look> {
  // What moves has come to rest, and what loads is there.
  await page.evaluate('Promise.all(document.getAnimations().map((one) => one.finished.catch(() => undefined)))');
  return page.evaluate<Look>(inspect);
}

/** Tab through the whole page: what has the focus and does not show it (2.4.7). */
export async function unseenFocus(page: Page, atMost = 80): Promise<readonly string[]> {
  const unseen: string[] = [];
  // The first of all: where somebody begins who has just come.
  await page.evaluate("document.querySelector('.skip').focus()");
  let steps = 0;
  for (; steps < atMost; steps++) {
    await page.keyboard.press('Tab');
    const now = await page.evaluate<{ isSeen: boolean; what: string } | undefined>(focused);
    if (!now) break;
    if (!now.isSeen) unseen.push(now.what);
  }
  if (steps < 3) unseen.push(`Tab reaches only ${steps} places`);
  return unseen;
}
