/** Ankify's configuration from the environment: every fault at once, each with its variable's name. README.md lists them. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readChoices, type VoiceChoices } from './speech/voice-choice.ts';
import type { Amounts } from './usage/usage.ts';

export interface Settings {
  readonly port: number;
  readonly host: string;
  readonly publicUrl: string;
  readonly data: string;
  readonly secret?: string;
  readonly blobs:
    | { readonly type: 'directory' }
    | { readonly type: 's3'; readonly bucket: string; readonly prefix?: string };
  /** `installed`: espeak-ng where it can be run, else none. */
  readonly speech: 'installed' | 'espeak-ng' | 'polly' | 'off';
  /** From a language to a voice; those that are not named have their own. */
  readonly voices: VoiceChoices;
  readonly quotas: Amounts;
  /** Absent: no page is served. */
  readonly page?: PageSettings;
}

export interface PageSettings {
  readonly port: number;
  readonly pageUrl: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly folder: string;
}

/** Throws an `Error` that names every faulty variable. Empty ones count as missing. */
export function readEnvironment(environment: Readonly<NodeJS.ProcessEnv>): Settings {
  const faults: string[] = [];
  const given = (name: string): string | undefined => environment[name] || undefined;
  const port = (name: string): number | undefined => {
    const text = given(name);
    if (text === undefined || (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65_535))
      return text === undefined ? undefined : Number(text);
    faults.push(`${name}: a port from 0 (any) to 65535`);
    return undefined;
  };
  const oneOf = <T extends string>(name: string, values: readonly T[], otherwise: T): T => {
    const text = given(name);
    const found = values.find((value) => value === text);
    if (text !== undefined && found === undefined) faults.push(`${name}: ${values.join(', ')}`);
    return found ?? otherwise;
  };
  const amount = (name: string): number | undefined => {
    const text = given(name);
    if (text === undefined || /^[0-9]{1,12}$/.test(text)) return text === undefined ? undefined : Number(text);
    faults.push(`${name}: a whole number from 0, the most a user may have in a month`);
    return undefined;
  };

  const publicUrl = given('ANKIFY_PUBLIC_URL');
  if (publicUrl === undefined) faults.push('ANKIFY_PUBLIC_URL: missing, such as http://localhost:8080/ankify');
  const data = given('ANKIFY_DATA');
  if (data === undefined) faults.push('ANKIFY_DATA: missing, the directory for the decks');
  const secret = given('ANKIFY_GATEWAY_SECRET');
  const speech = oneOf('ANKIFY_SPEECH', ['installed', 'espeak-ng', 'polly', 'off'], 'installed');
  if (speech === 'polly' && !given('AWS_REGION') && !given('AWS_DEFAULT_REGION')) {
    faults.push('AWS_REGION: missing; ANKIFY_SPEECH names Amazon Polly');
  }
  const settings = {
    port: port('ANKIFY_PORT') ?? 0,
    host: given('ANKIFY_HOST') ?? '127.0.0.1',
    publicUrl: publicUrl ?? '',
    data: data ?? '',
    ...(secret !== undefined && { secret }),
    blobs: blobsFrom(given('ANKIFY_BLOBS'), faults),
    speech,
    voices: voicesFrom(given('ANKIFY_VOICES'), faults),
    quotas: defined({
      decks: amount('ANKIFY_MONTHLY_DECKS'),
      cards: amount('ANKIFY_MONTHLY_CARDS'),
      characters: amount('ANKIFY_MONTHLY_CHARACTERS'),
      modelTokens: amount('ANKIFY_MONTHLY_MODEL_TOKENS'),
    }),
  };
  const page = pageFrom(given, port('ANKIFY_PAGE_PORT'), faults);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return { ...settings, ...(page && { page }) };
}

function blobsFrom(text: string | undefined, faults: string[]): Settings['blobs'] {
  if (text === undefined || text === 'directory') return { type: 'directory' };
  const [, bucket, prefix = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text) ?? [];
  if (bucket === undefined || (prefix !== '' && !/^([A-Za-z0-9_][A-Za-z0-9._-]{0,100}\/){1,5}$/.test(prefix))) {
    faults.push('ANKIFY_BLOBS: directory, or a bucket such as s3://my-bucket or s3://my-bucket/ankify/');
    return { type: 'directory' };
  }
  return { type: 's3', bucket, ...(prefix !== '' && { prefix }) };
}

/** Where Vite builds the page to. */
export const builtPage = fileURLToPath(new URL('../web/dist', import.meta.url));

function pageFrom(
  given: (name: string) => string | undefined,
  port: number | undefined,
  faults: string[],
): PageSettings | undefined {
  const others = ['ANKIFY_PAGE_URL', 'ANKIFY_PAGE_CLIENT_ID', 'ANKIFY_PAGE_CLIENT_SECRET', 'ANKIFY_PAGE_FOLDER'];
  if (port === undefined) {
    const alone =
      given('ANKIFY_PAGE_PORT') === undefined ? others.find((name) => given(name) !== undefined) : undefined;
    if (alone !== undefined)
      faults.push(`ANKIFY_PAGE_PORT: missing; ${alone} is set, and without it no page is served`);
    return undefined;
  }
  const pageUrl = given('ANKIFY_PAGE_URL') ?? `http://localhost:${port}`;
  if (port === 0 && given('ANKIFY_PAGE_URL') === undefined) {
    faults.push(
      'ANKIFY_PAGE_URL: missing; with any port the page’s address, which its cookie and its client need, is unknown',
    );
  } else if (!isPageOrigin(pageUrl)) {
    faults.push('ANKIFY_PAGE_URL: an origin such as https://ankify.example.com; http only on this computer');
  }
  const clientSecret = given('ANKIFY_PAGE_CLIENT_SECRET');
  return {
    port,
    pageUrl,
    clientId: given('ANKIFY_PAGE_CLIENT_ID') ?? 'ankify-page',
    ...(clientSecret !== undefined && { clientSecret }),
    folder: resolve(given('ANKIFY_PAGE_FOLDER') ?? builtPage),
  };
}

function isPageOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname, search, hash, username } = new URL(text);
  const isPlain = pathname === '/' && search === '' && hash === '' && username === '';
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return isPlain && (protocol === 'https:' || (protocol === 'http:' && isLocal));
}

function defined(amounts: Record<keyof Required<Amounts>, number | undefined>): Amounts {
  return Object.fromEntries(Object.entries(amounts).filter(([, amount]) => amount !== undefined));
}

function voicesFrom(text: string | undefined, faults: string[]): VoiceChoices {
  try {
    return readChoices(text ?? '');
  } catch (error) {
    faults.push(`ANKIFY_VOICES: ${(error as Error).message}`);
    return {};
  }
}
