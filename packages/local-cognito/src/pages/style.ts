/** The one style sheet of the managed login pages: system fonts, light and dark, nothing fetched. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #eef1f6; --card: #ffffff; --ink: #17202e; --soft: #566276; --line: #c3cad6; --edge: #7a8699; --field: #ffffff;
  --accent: #3538cd; --accent-strong: #2a2da8; --on-accent: #ffffff; --ring: #5563e6;
  --bad: #a3160e; --bad-ground: #fdeceb; --good: #0b6b3a; --good-ground: #e6f6ec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e131b; --card: #171e29; --ink: #e8ecf3; --soft: #a3aec0; --line: #3a465a; --edge: #6f7d95; --field: #10161f;
    --accent: #8d97ff; --accent-strong: #a9b1ff; --on-accent: #0d1020; --ring: #6f7bff;
    --bad: #ffb4ab; --bad-ground: #3b1613; --good: #8fe0b0; --good-ground: #10301f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; display: flex; flex-direction: column; align-items: center; justify-content: center;
  gap: 1.25rem; padding: 1.5rem 1rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main {
  width: 100%; max-width: 25rem; padding: 2rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 0.9rem; box-shadow: 0 1px 2px #0000000f, 0 12px 32px -12px #00000033;
}
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; letter-spacing: -0.01em; }
p { margin: 0.35rem 0 0; color: var(--soft); overflow-wrap: anywhere; }
strong { color: var(--ink); font-weight: 600; }
form { margin: 1.5rem 0 0; }
form + form { margin-top: 0.75rem; }
label { display: block; margin: 1rem 0 0.3rem; font-weight: 600; font-size: 0.925rem; }
label:first-of-type { margin-top: 0; }
input:not([type="hidden"]) {
  width: 100%; padding: 0.6rem 0.75rem; font: inherit; color: var(--ink); background: var(--field);
  border: 1px solid var(--edge); border-radius: 0.5rem;
}
input.code { letter-spacing: 0.35em; font-variant-numeric: tabular-nums; }
input[aria-invalid="true"] { border-color: var(--bad); }
small { display: block; margin-top: 0.3rem; color: var(--soft); font-size: 0.85rem; }
button {
  width: 100%; margin-top: 1.5rem; padding: 0.65rem 1rem; font: inherit; font-weight: 600; cursor: pointer;
  color: var(--on-accent); background: var(--accent); border: 1px solid transparent; border-radius: 0.5rem;
}
button:hover { background: var(--accent-strong); }
button.quiet { margin-top: 0; color: var(--accent); background: none; border-color: var(--edge); }
button.quiet:hover { border-color: var(--accent); }
a { color: var(--accent); text-underline-offset: 0.15em; }
:is(a, button, input):focus-visible { outline: 3px solid var(--ring); outline-offset: 2px; }
.message { margin: 1.25rem 0 0; padding: 0.65rem 0.8rem; border-radius: 0.5rem; color: var(--bad); background: var(--bad-ground); }
.message + p { margin-top: 1rem; }
.message.good { color: var(--good); background: var(--good-ground); }
.links { margin-top: 1.25rem; text-align: center; }
.links + .links { margin-top: 0.4rem; }
code { font: 0.9em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
footer { max-width: 25rem; text-align: center; color: var(--soft); font-size: 0.8125rem; }
@media (forced-colors: active) { main, button { border: 1px solid; } }
`;
