/** An address that leads nowhere. */
import { Link } from '../look/router.tsx';
import { words } from '../words/language.ts';

export function MissingPage() {
  const { title, text, back } = words.value.missing;
  return (
    <div class="narrow">
      <h1>{title}</h1>
      <p class="lead">{text}</p>
      <Link to="/" class="button is-main">
        {back}
      </Link>
    </div>
  );
}
