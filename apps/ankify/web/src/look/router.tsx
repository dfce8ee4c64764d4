/** The page's own addresses: which view is shown, and links that change it without a load. */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';

export const path = signal(location.pathname);

addEventListener('popstate', () => {
  path.value = location.pathname;
});

export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, '', to);
  else if (to !== location.pathname) history.pushState(null, '', to);
  path.value = location.pathname;
  if (!replace) scrollTo(0, 0);
}

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly current?: boolean;
  readonly label?: string;
  readonly children: ComponentChildren;
}

export function Link({ to, class: className, current, label, children }: LinkProps) {
  return (
    <a
      href={to}
      class={className}
      aria-current={current ? 'page' : undefined}
      aria-label={label}
      onClick={(event) => {
        // A new tab or window stays the browser's business.
        if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}
