/** The few pictures of the page, drawn with the colour of the text; for the eye only, never the only name of a thing. */

const shapes = {
  speaker: 'M4 9.5v5h3.2L12 18.5v-13L7.2 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11',
  stop: 'M7 7h10v10H7z',
  more: 'M5.5 12h.01M5.5 11.5v1M12 11.5v1M18.5 11.5v1',
  trash: 'M5 7h14M10 7V5h4v2M7 7l.8 12h8.4L17 7M10.5 10.5v5M13.5 10.5v5',
  up: 'M12 19V6M6.5 11.5 12 6l5.5 5.5',
  down: 'M12 5v13M6.5 12.5 12 18l5.5-5.5',
  plus: 'M12 5v14M5 12h14',
  back: 'M19 12H6M11.5 6.5 6 12l5.5 5.5',
  copy: 'M9 9h10v10H9zM5 15V5h10',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  download: 'M12 4v11M7 10.5l5 5 5-5M5 20h14',
  search: 'M11 4.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM16 16l4 4',
  file: 'M7 3.5h6.5L18 8v12.5H7zM13.5 3.5V8H18',
  gap: 'M4 17h4M16 17h4M9 7h6v10H9z',
} as const;

export function Icon({ name }: { readonly name: keyof typeof shapes }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}

/** Two cards, one behind the other. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect class="mark-behind" x="9" y="4" width="18" height="20" rx="4" />
      <rect class="mark-front" x="5" y="8" width="18" height="20" rx="4" />
      <path d="M10 22 14 13l4 9M11.4 19h5.2" />
    </svg>
  );
}
