/** Dark or light: the system's choice unless the person made one; `public/theme.js` applies it before the first paint. */
import { signal } from '@preact/signals';
import { kept } from './kept.ts';

export type Theme = 'system' | 'light' | 'dark';
const key = 'ankify-theme';

const stored = kept.read(key);
export const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system');

export function chooseTheme(next: Theme): void {
  theme.value = next;
  const { dataset } = document.documentElement;
  if (next === 'system') {
    delete dataset.theme;
    kept.remove(key);
  } else {
    dataset.theme = next;
    kept.write(key, next);
  }
}
