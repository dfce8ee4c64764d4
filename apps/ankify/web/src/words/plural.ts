/** Plural forms by the rules of a language (CLDR, through Intl). */

export function pluralOf(language: string) {
  const rules = new Intl.PluralRules(language);
  const format = new Intl.NumberFormat(language);
  /** `forms.other` for every form that is left out; `#` is the number. */
  return (count: number, forms: { readonly one: string; readonly other: string }): string =>
    (rules.select(count) === 'one' ? forms.one : forms.other).replace('#', format.format(count));
}
