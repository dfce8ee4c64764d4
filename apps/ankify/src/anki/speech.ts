/** Languages as people and models write them, to BCP 47 for us and to the locale codes of Anki's `{{tts}}`. */

/** Locales for which systems ship voices: the first of a language is its default; then its other names. */
const languages: ReadonlyArray<readonly [locales: string, names: string]> = [
  ['ar-SA ar-EG ar-AE', 'ara arabic'],
  ['bg-BG', 'bul bulgarian'],
  ['bn-IN bn-BD', 'ben bengali bangla'],
  ['ca-ES', 'cat catalan'],
  ['cs-CZ', 'ces cze czech'],
  ['cy-GB', 'cym wel welsh'],
  ['da-DK', 'dan danish'],
  ['de-DE de-AT de-CH', 'deu ger ge german deutsch'],
  ['el-GR', 'ell gre greek'],
  ['en-US en-GB en-AU en-CA en-IE en-IN en-NZ en-ZA', 'eng english'],
  ['es-ES es-MX es-US es-AR es-CO', 'spa spanish castilian'],
  ['et-EE', 'est estonian'],
  ['eu-ES', 'eus baq basque'],
  ['fa-IR', 'fas per persian farsi'],
  ['fi-FI', 'fin finnish'],
  ['fr-FR fr-BE fr-CA fr-CH', 'fra fre french'],
  ['ga-IE', 'gle irish'],
  ['gl-ES', 'glg galician'],
  ['gu-IN', 'guj gujarati'],
  ['he-IL', 'heb iw hebrew'],
  ['hi-IN', 'hin hindi'],
  ['hr-HR', 'hrv croatian'],
  ['hu-HU', 'hun hungarian'],
  ['id-ID', 'ind indonesian'],
  ['is-IS', 'isl ice icelandic'],
  ['it-IT', 'ita italian'],
  ['ja-JP', 'jpn japanese'],
  ['ka-GE', 'kat geo georgian'],
  ['kk-KZ', 'kaz kazakh'],
  ['kn-IN', 'kan kannada'],
  ['ko-KR', 'kor korean'],
  ['lt-LT', 'lit lithuanian'],
  ['lv-LV', 'lav latvian'],
  ['ml-IN', 'mal malayalam'],
  ['mr-IN', 'mar marathi'],
  ['ms-MY', 'msa may malay'],
  ['nb-NO', 'nob nor no norwegian bokmål'],
  ['nl-NL nl-BE', 'nld dut dutch flemish'],
  ['pl-PL', 'pol polish'],
  ['pt-PT pt-BR', 'por portuguese'],
  ['ro-RO', 'ron rum romanian'],
  ['ru-RU', 'rus russian'],
  ['sk-SK', 'slk slo slovak'],
  ['sl-SI', 'slv slovenian slovene'],
  ['sq-AL', 'sqi alb albanian'],
  ['sr-RS', 'srp serbian'],
  ['sv-SE', 'swe swedish'],
  ['sw-KE', 'swa swahili'],
  ['ta-IN', 'tam tamil'],
  ['te-IN', 'tel telugu'],
  ['th-TH', 'tha thai'],
  ['tr-TR', 'tur turkish'],
  ['uk-UA', 'ukr ukrainian'],
  ['ur-PK', 'urd urdu'],
  ['vi-VN', 'vie vietnamese'],
  ['zh-CN zh-TW', 'zho chi cmn chinese mandarin zh-hans'],
  ['zh-HK', 'yue cantonese'],
];

const byName = new Map<string, string>();
for (const [locales, names] of languages) {
  const [first = '', ...others] = locales.split(' ');
  for (const name of names.split(' ')) byName.set(name, first);
  for (const locale of [first, ...others]) byName.set(locale.toLowerCase(), locale);
  const language = first.slice(0, 2);
  if (!byName.has(language)) byName.set(language, first);
}
byName.set('zh-hant', 'zh-TW');

/** `German`, `de`, `deu`, `de_DE` → `de-DE`; undefined: no voice is known for it. */
export function resolveLanguage(language: string): string | undefined {
  return byName.get(language.trim().toLowerCase().replaceAll('_', '-'));
}

/** Anki writes `de_DE`. */
export function ankiLocale(language: string): string {
  return language.replaceAll('-', '_');
}

/** For a refusal: the two-letter codes that can be used. */
export const languageCodes: readonly string[] = languages.map(([locales]) => locales.slice(0, 2)).filter(isFirst);

function isFirst(code: string, index: number, codes: readonly string[]): boolean {
  return codes.indexOf(code) === index;
}
