/** The choice of the language in which a side of the cards is spoken. */
import { languageCodes, resolveLanguage } from '../../../src/anki/speech.ts';
import { languageName, language as pageLanguage, words } from '../words/language.ts';
import { Field } from './parts.tsx';

/** Each language in the form that most people mean, and the others that sound so different that one chooses. */
const tags = [
  ...languageCodes.map((code) => resolveLanguage(code) ?? code),
  'de-AT',
  'de-CH',
  'en-GB',
  'en-AU',
  'es-MX',
  'fr-CA',
  'nl-BE',
  'pt-BR',
  'zh-TW',
  'zh-HK',
];

interface LanguageChoiceProps {
  readonly label: string;
  /** Empty: none. */
  readonly value: string;
  readonly onChange: (tag: string) => void;
}

export function LanguageChoice({ label, value, onChange }: LanguageChoiceProps) {
  const known = [...new Set(value === '' ? tags : [...tags, value])]
    .map((tag) => ({ tag, name: languageName(tag) }))
    .sort((a, b) => a.name.localeCompare(b.name, pageLanguage.value));
  return (
    <Field label={label}>
      {({ id }) => (
        <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          <option value="">{words.value.languages.none}</option>
          {known.map(({ tag, name }) => (
            <option key={tag} value={tag}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
