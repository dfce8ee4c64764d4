/** The questions of `gatehouse init` at a terminal; what a flag has said already is not asked. */
import { CANCEL_SYMBOL, type Option, select, text } from '@clack/prompts';
import type { RecordsConfig } from '../config/records.ts';
import { isLoopbackHost } from '../loopback.ts';
import {
  type Answers,
  databaseDefault,
  defaultClientSecretVariable,
  defaultIssuer,
  defaultTarget,
  recordsForms,
  sampleAnswers,
} from './answers.ts';
import { faultAt } from './configuration.ts';
import { providerForms, providerTypes } from './providers.ts';

/** What flags have said; every answer of theirs stands. */
export type Given = { readonly [K in keyof Answers]?: Answers[K] | undefined };

/** Rejects if the person has had enough. */
export async function askAnswers(given: Given, file: string): Promise<Answers> {
  const sample = sampleAnswers(file, given.provider);
  let answers: Answers = { ...sample, ...defined(given), fields: { ...sample.fields, ...given.fields } };
  /**
   * Each is judged by the checks of the configuration itself, with what was answered so far. An empty line takes what is
   * suggested, or says that there is none; of an example, which is nobody's, it is no answer.
   */
  const ask = async (
    message: string,
    shown: string,
    setting: string,
    put: (value: string) => Partial<Answers>,
    empty: 'suggested' | 'none' | 'refused' = 'suggested',
  ) => {
    const answer = await text({
      message,
      placeholder: empty === 'refused' ? `such as ${shown}` : shown,
      ...(empty === 'suggested' && { defaultValue: shown }),
      validate(value) {
        const typed = value?.trim() ?? '';
        if (typed === '' && empty === 'refused') return `Yours is needed, such as ${shown}`;
        return faultAt(setting, { ...answers, ...put(typed || (empty === 'suggested' ? shown : '')) }, file);
      },
      output: process.stderr,
    });
    answers = { ...answers, ...put(unlessCancelled(answer).trim()) };
  };

  if (given.target === undefined) {
    await ask(
      'What is to be protected: the URL of an MCP server, or a command',
      defaultTarget,
      'resources',
      (target) => ({
        target,
      }),
    );
  }
  if (given.issuer === undefined) {
    await ask('Public URL of the gateway, as clients will see it', defaultIssuer, 'issuer', (issuer) => ({ issuer }));
  }
  if (given.provider === undefined) {
    const provider = await choose(
      'Who signs people in',
      providerTypes
        // A user pool on this computer is of no use to people elsewhere.
        .filter((value) => value !== 'local' || isLocal(answers.issuer))
        .map((value) => ({ value, label: providerForms[value].label, hint: providerForms[value].hint })),
    );
    answers = {
      ...answers,
      ...providerSample(file, provider),
      fields: { ...sampleFields(file, provider), ...given.fields },
    };
  }
  const form = providerForms[answers.provider];
  for (const { setting, asks, example } of form.fields) {
    if (given.fields?.[setting] !== undefined) continue;
    const put = (value: string) => ({ fields: { ...answers.fields, [setting]: value } });
    await ask(asks, example, `identityProvider.${setting}`, put, 'refused');
  }
  if (form.secret !== 'none' && given.clientSecretVariable === undefined) {
    const message = 'Environment variable that will hold the client’s secret';
    if (form.secret === 'needed') {
      await ask(message, defaultClientSecretVariable, 'identityProvider.clientSecret', (clientSecretVariable) => ({
        clientSecretVariable,
      }));
    } else {
      await ask(
        `${message} (empty: it has none)`,
        defaultClientSecretVariable,
        'identityProvider.clientSecret',
        variable('clientSecretVariable'),
        'none',
      );
    }
  }
  if (given.records === undefined) {
    const records = await choose(
      'Where grants and keys are kept',
      (Object.keys(recordsForms) as RecordsConfig['type'][]).map((value) => ({
        value,
        label: recordsForms[value].label,
      })),
    );
    answers = { ...answers, records, database: given.database ?? databaseDefault(records, file) };
  }
  const { records } = answers;
  if (records !== 'memory' && given.database === undefined) {
    await ask(recordsForms[records].asks, databaseDefault(records, file), 'records', (database) => ({ database }));
  }
  if ((records === 'postgres' || records === 'redis') && given.databasePasswordVariable === undefined) {
    await ask(
      'Environment variable that will hold its password (empty: it needs none)',
      'GATEHOUSE_DATABASE_PASSWORD',
      'records.password',
      variable('databasePasswordVariable'),
      'none',
    );
  }
  return answers;
}

function isLocal(issuer: string): boolean {
  return URL.canParse(issuer) && isLoopbackHost(new URL(issuer).hostname);
}

function variable(name: 'clientSecretVariable' | 'databasePasswordVariable') {
  return (value: string): Partial<Answers> => (value === '' ? {} : { [name]: value });
}

function providerSample(file: string, provider: Answers['provider']): Partial<Answers> {
  const { fields: _, issuer: __, target: ___, ...sample } = sampleAnswers(file, provider);
  const { clientSecretVariable } = sample;
  return { provider, ...(clientSecretVariable !== undefined && { clientSecretVariable }) };
}

function sampleFields(file: string, provider: Answers['provider']): Answers['fields'] {
  return sampleAnswers(file, provider).fields;
}

async function choose<T extends string>(message: string, options: Option<T>[]): Promise<T> {
  return unlessCancelled(await select<T>({ message, options, output: process.stderr }));
}

function unlessCancelled<T extends string>(answer: T | typeof CANCEL_SYMBOL): T {
  if (answer === CANCEL_SYMBOL) throw new Error('Nothing was written.');
  return answer;
}

function defined(given: Given): Partial<Answers> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<Answers>;
}
