/** Speech without an engine: what is said of a card, by which voice, in which pieces, and how many at once. */
import { describe, expect, test } from 'vitest';
import { deckClips } from '../src/speech/deck-clips.ts';
import { encodeMp3, isMp3, readWav } from '../src/speech/mp3.ts';
import { pollyVoices } from '../src/speech/polly-voices.ts';
import { checkSpoken, SpeechRefusal, type Voice } from '../src/speech/speech.ts';
import { spokenText } from '../src/speech/spoken-text.ts';
import { ssmlPieces } from '../src/speech/ssml.ts';
import { turns } from '../src/speech/turns.ts';
import { checkChoices, chooseVoice, readChoices } from '../src/speech/voice-choice.ts';
import { deckOf } from './decks.ts';

describe('what is said', () => {
  test.each([
    ['der Hund', 'der Hund'],
    ['-v ärgern', '-v ärgern'],
    ['gehen; ging; gegangen', 'gehen; ging; gegangen'],
    ['der/die/das', 'der; die; das'],
    ['der Hund / die Hunde', 'der Hund; die Hunde'],
    ['1/2 Liter', '1/2 Liter'],
    ['https://a.example/b/c', 'https://a.example/b/c'],
    ['a;;b ; / c;', 'a; b; c'],
    ['eins\nzwei.\n\ndrei', 'eins; zwei. drei'],
    ['{{c1::Bern}} is {{c2::the {{c3::capital::x}}::hint}}', 'Bern is the capital'],
    ['not {{c1::closed', 'not {{c1::closed'],
    ['a }} b', 'a }} b'],
    ['<b>Hund</b><br>Katze', 'Hund; Katze'],
    ['AT&T <script>alert(1)</script>', 'AT&T <script>alert(1)</script>'],
    ['3 < 4 > 2', '3 < 4 > 2'],
    ['**fett** `x` ~~weg~~', 'fett x weg'],
    ['2*3*4 snake_case', '2*3*4 snake_case'],
    ['E = \\(mc^2\\) heißt', 'E = heißt'],
    ['[sound:x.mp3] hi [latex]', 'hi [latex]'],
    ['🦊 Fuchs ❤️', 'Fuchs ❤'],
    ['🦊', ''],
    ['…', ''],
    ['\u0000a\u0007b', 'a b'],
    ['שלום\u200f!', 'שלום !'],
    ['می\u200cخواهم', 'می\u200cخواهم'],
    ['na\u00adive', 'naive'],
    ['e\u0301', 'é'],
    ['a\ud800b', 'a\ufffdb'],
  ])('of %j is %j', (field, said) => expect(spokenText(field)).toBe(said));

  test.each(['\\(', '**a ', '`', '{{c1::', ' ;', ' /', ' \n', '<b', '[sound:', '\u200f ', '__a'])(
    'of a full field of %j is found at once',
    (part) => {
      const field = part.repeat(16_384 / part.length);
      const started = performance.now();
      spokenText(field);
      expect(performance.now() - started).toBeLessThan(1000);
    },
  );

  test('one long word is looked at once, not from each of its letters', () => {
    const timeOf = (length: number) => {
      const started = performance.now();
      for (let times = 0; times < 4; times++) spokenText('a'.repeat(length));
      return performance.now() - started;
    };
    timeOf(16_384);
    // Of squared time, eight times as many letters would be sixty-four times as long: more than ten seconds.
    expect(timeOf(8 * 16_384)).toBeLessThan(4000);
    expect(spokenText('siehe ahttps://a.example/b/c und/oder x://y/z')).toBe(
      'siehe ahttps://a.example/b/c und; oder x://y/z',
    );
  });

  test('nothing, and what is too long, is refused in words', () => {
    expect(() => checkSpoken('?!')).toThrow(SpeechRefusal);
    expect(() => checkSpoken('ab '.repeat(2000))).toThrow('has 6000 characters; at most 5000');
    expect(() => checkSpoken('🦊a'.repeat(2500))).not.toThrow();
  });
});

describe('a voice', () => {
  const voice = (id: string, language: string): Voice => ({ id, language, name: id, quality: 'robotic' });
  const voices = [
    voice('rp', 'en-GB-x-rp'),
    voice('en-gb', 'en-GB'),
    voice('en-us', 'en-US'),
    voice('es', 'es'),
    voice('es-419', 'es-419'),
    voice('cmn', 'cmn'),
    voice('yue', 'yue'),
    voice('nb', 'nb'),
    voice('pt-br', 'pt-BR'),
    voice('pt', 'pt-PT'),
  ];

  test.each([
    ['en-GB', 'en-gb'],
    ['en', 'en-us'],
    ['en-AU', 'en-us'],
    ['EN_us', 'en-us'],
    ['es-ES', 'es'],
    ['es-MX', 'es-419'],
    ['zh-CN', 'cmn'],
    ['zh-TW', 'cmn'],
    ['zh-HK', 'yue'],
    ['no', 'nb'],
    ['nb-NO', 'nb'],
    ['pt', 'pt-br'],
    ['pt-PT', 'pt'],
    ['ru-RU', undefined],
    ['constructor', undefined],
    ['not a tag!', undefined],
    ['', undefined],
  ])('for %j is %j', (language, id) => expect(chooseVoice(voices, language)?.id).toBe(id));

  test('is the operator’s where one is given, the nearest tag first', () => {
    const choices = { en: 'rp', 'en-US': 'en-us', de: 'nb' };
    expect(chooseVoice(voices, 'en-GB', choices)?.id).toBe('rp');
    expect(chooseVoice(voices, 'en-US', choices)?.id).toBe('en-us');
    expect(() => checkChoices(voices, choices)).toThrow('no voice "nb" that speaks de');
    expect(() => checkChoices(voices, { 'not a tag!': 'rp' })).toThrow('is no language tag');
    expect(() => checkChoices(voices, { en: 'rp' })).not.toThrow();
  });

  test('is read from the environment', () => {
    expect(readChoices(' de=Daniel, en-GB=Arthur,')).toEqual({ de: 'Daniel', 'en-GB': 'Arthur' });
    expect(readChoices('')).toEqual({});
    for (const odd of ['Daniel', 'de=', '=x', 'de=a b', 'de:Daniel', '__proto__=x']) {
      expect(() => readChoices(odd)).toThrow('is no choice, such as de=Daniel');
    }
  });

  test('of Polly: every language has a default, neural where there is one', () => {
    for (const [language, id] of [
      ['de-DE', 'Vicki'],
      ['en-US', 'Joanna'],
      ['en-GB', 'Amy'],
      ['zh-CN', 'Zhiyu'],
      ['zh-HK', 'Hiujin'],
      ['hi-IN', 'Kajal'],
      ['ru-RU', 'Tatyana'],
      ['ar-SA', 'Hala'],
      ['he-IL', undefined],
    ] as const) {
      expect([language, chooseVoice(pollyVoices, language)?.id]).toEqual([language, id]);
    }
    expect(chooseVoice(pollyVoices, 'hi-IN')?.language).toBe('hi-IN');
    expect(chooseVoice(pollyVoices, 'de')?.quality).toBe('neural');
    expect(chooseVoice(pollyVoices, 'ru')?.quality).toBe('robotic');
  });
});

describe('SSML', () => {
  const bare = (ssml: string) => ssml.replace(/<[^>]*>/g, '');

  test('has pauses, and everything else as text', () => {
    expect(ssmlPieces('gehen; ging')).toEqual(['<speak>gehen<break time="400ms"/> ging</speak>']);
    expect(ssmlPieces(`AT&T <break time="9s"/> "q" 'r' &lt; ]]>\0\ufffe\ud800`)).toEqual([
      '<speak>AT&amp;T &lt;break time=&quot;9s&quot;/&gt; &quot;q&quot; &apos;r&apos; ' +
        '&amp;lt<break time="400ms"/> ]]&gt;  \ufffd</speak>',
    ]);
  });

  test.each([
    ['words', 'Ein Satz mit Worten. '.repeat(400)],
    ['one word', 'a'.repeat(9001)],
    ['only pauses', `x${'; '.repeat(4000)}x`],
    ['entities', '&'.repeat(5000)],
    ['pairs', '🦊a'.repeat(3000)],
    ['Chinese', '这是一个句子。'.repeat(900)],
  ])('in pieces loses nothing and keeps within the limits: %s', (_, text) => {
    const pieces = ssmlPieces(text);
    for (const piece of pieces) {
      expect(piece.length).toBeLessThanOrEqual(6000);
      expect(piece.isWellFormed()).toBe(true);
      expect(Array.from(bare(piece)).length).toBeLessThanOrEqual(3000 * 5);
      expect(piece.startsWith('<speak>') && piece.endsWith('</speak>')).toBe(true);
    }
    const said = pieces.map((piece) => bare(piece.replaceAll('<break time="400ms"/>', ';'))).join('');
    expect(said.replaceAll('&amp;', '&')).toBe(text);
    expect(pieces.length).toBeGreaterThan(1);
  });

  test('is cut after a sentence', () => {
    const [first = ''] = ssmlPieces('Ein Satz mit Worten. '.repeat(400));
    expect(first.endsWith('Worten.</speak>')).toBe(true);
  });
});

describe('MP3', () => {
  const tone = (seconds: number, sampleRate = 22_050) =>
    Int16Array.from(
      { length: seconds * sampleRate },
      (_, at) => 8000 * Math.sin((at * 440 * 2 * Math.PI) / sampleRate),
    );

  test('has 64 kbit/s, the same bytes for the same sound, and encoders do not mix', async () => {
    const pcm = { samples: tone(2.5), sampleRate: 22_050 };
    const clips = await Promise.all([encodeMp3(pcm), encodeMp3({ ...pcm, samples: tone(1) }), encodeMp3(pcm)]);
    const [first = Buffer.alloc(0), second, third] = clips.map((clip) => Buffer.from(clip));
    expect(Math.abs(first.length - 2.5 * 8000)).toBeLessThan(1000);
    expect([isMp3(first), third?.equals(first), second?.equals(first)]).toEqual([true, true, false]);
    expect(Buffer.from(await encodeMp3(pcm)).equals(first)).toBe(true); // an encoder used again
  });

  test('an abort ends it, and the next clip is whole', async () => {
    const pcm = { samples: tone(2.5), sampleRate: 22_050 };
    const whole = Buffer.from(await encodeMp3(pcm));
    await expect(encodeMp3(pcm, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    expect(Buffer.from(await encodeMp3(pcm)).equals(whole)).toBe(true);
  });

  test('a WAV is read whatever size it claims, and nothing else is taken for one', () => {
    const wav = wavOf([1, -2, 3], 22_050);
    expect(readWav(wav)).toEqual({ samples: Int16Array.from([1, -2, 3]), sampleRate: 22_050 });
    wav.writeUInt32LE(0x7ffff000, 40);
    expect(readWav(wav)?.samples).toEqual(Int16Array.from([1, -2, 3]));
    for (const broken of [
      Buffer.alloc(0),
      wav.subarray(0, 20),
      Buffer.from('RIFF....WAVEdata....'),
      Buffer.from('ID3'),
    ]) {
      expect(readWav(broken)).toBeUndefined();
    }
    const stereo = wavOf([1], 22_050);
    stereo.writeUInt16LE(2, 22);
    expect(readWav(stereo)).toBeUndefined();
    expect(isMp3(wav)).toBe(false);
    expect(isMp3(Buffer.from('<html>'.repeat(50)))).toBe(false);
  });

  function wavOf(samples: readonly number[], sampleRate: number): Buffer {
    const wav = Buffer.alloc(44 + 2 * samples.length);
    wav.write('RIFF', 0).toString();
    wav.write('WAVEfmt ', 8);
    wav.writeUInt32LE(16, 16);
    wav.writeUInt16LE(1, 20);
    wav.writeUInt16LE(1, 22);
    wav.writeUInt32LE(sampleRate, 24);
    wav.writeUInt16LE(16, 34);
    wav.write('data', 36);
    wav.writeUInt32LE(2 * samples.length, 40);
    for (const [at, sample] of samples.entries()) wav.writeInt16LE(sample, 44 + 2 * at);
    return wav;
  }
});

describe('turns', () => {
  test('are never more at once, go in order, and may be left', async () => {
    const line = turns(2);
    const log: string[] = [];
    const gates = new Map<string, () => void>();
    const enter = (name: string, signal?: AbortSignal) =>
      line.take(async () => {
        log.push(name);
        await new Promise<void>((resolve) => gates.set(name, resolve));
        if (name === 'b') throw new Error('b failed');
        return name;
      }, signal);
    const leaving = new AbortController();
    const [a, b] = [enter('a'), enter('b').catch(String)];
    const [c, d] = [enter('c', leaving.signal).catch((error: Error) => error.message), enter('d')];
    await Promise.resolve();
    expect(log).toEqual(['a', 'b']);
    leaving.abort(new Error('c left'));
    expect(await c).toBe('c left');
    gates.get('b')?.();
    expect(await b).toBe('Error: b failed');
    const e = enter('e');
    await Promise.resolve();
    expect(log).toEqual(['a', 'b', 'd']);
    gates.get('a')?.();
    expect(await a).toBe('a');
    gates.get('d')?.();
    expect(await d).toBe('d');
    gates.get('e')?.();
    expect(await e).toBe('e');
    await expect(enter('f', AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    expect(log).toEqual(['a', 'b', 'd', 'e']);
  });
});

describe('the clips of a deck', () => {
  const engine = { voiceFor: (language: string) => chooseVoice(pollyVoices, language) };
  const store = {
    keyOf: (text: string) => `audio/${Buffer.from(text).toString('hex').padEnd(64, '0').slice(0, 64)}.mp3`,
  };
  const clipsOf = (...given: Parameters<typeof deckOf>) => deckClips(deckOf(...given), engine, store);
  const languages = { speech: 'recorded', frontLanguage: 'de-DE', backLanguage: 'en-GB' } as const;

  test('are its spoken sides, in the languages of deck and card', () => {
    const { clips } = clipsOf(languages, [
      { front: 'der <b>Hund</b>', back: 'dog / hound' },
      { front: 'chien', back: '🦊', frontLanguage: 'fr-FR' },
    ]);
    expect(clips.map(({ side, text, voice }) => [side, text, voice.id])).toEqual([
      ['front', 'der Hund', 'Vicki'],
      ['back', 'dog; hound', 'Amy'],
      ['front', 'chien', 'Lea'],
    ]);
    expect(clips[0]?.fileName).toMatch(/^ankify-[0-9a-f]{20}\.mp3$/);
  });

  test('are none without recorded speech, a language, or a voice for it', () => {
    expect(clipsOf({ ...languages, speech: 'device' }, [{}]).clips).toEqual([]);
    expect(clipsOf({ speech: 'recorded' }, [{}]).clips).toEqual([]);
    const hebrew = clipsOf({ speech: 'recorded', frontLanguage: 'he-IL', backLanguage: 'en-US' }, [{}, {}]);
    expect([hebrew.clips.map(({ side }) => side), hebrew.unspokenLanguages]).toEqual([['back', 'back'], ['he-IL']]);
    const long = clipsOf(languages, [{ front: 'kurz' }, { front: 'lang '.repeat(2000) }]);
    expect([long.clips.length, long.tooLong]).toEqual([3, [2]]);
  });
});
