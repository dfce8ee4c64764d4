/** The model that the environment names, and what is said of one that names it wrongly. */
import { expect, test } from 'vitest';
import { modelFromEnvironment } from '../src/environment.ts';

const key = 'sk-secret-of-the-test';

test.each([
  [{ ANKIFY_MODEL: 'anthropic:claude-x', ANTHROPIC_API_KEY: key }, 'anthropic:claude-x'],
  [
    { ANKIFY_MODEL: 'bedrock:eu.anthropic.claude-x-v1:0', AWS_REGION: 'eu-central-1' },
    'bedrock:eu.anthropic.claude-x-v1:0',
  ],
  [{ ANKIFY_MODEL: 'openai:gpt-x', OPENAI_API_KEY: key }, 'openai:gpt-x'],
  [{ ANKIFY_MODEL: 'openai:llama', OPENAI_BASE_URL: 'http://localhost:11434/v1' }, 'openai:llama'],
])('%j is %s', async (env, name) => {
  expect((await modelFromEnvironment(env))?.name).toBe(name);
});

test('nothing named is no model', async () => {
  expect(await modelFromEnvironment({})).toBeUndefined();
  expect(await modelFromEnvironment({ ANKIFY_MODEL: '' })).toBeUndefined();
  expect((await modelFromEnvironment({ OTHER_MODEL: 'openai:a', OPENAI_API_KEY: key }, 'OTHER_MODEL'))?.name).toBe(
    'openai:a',
  );
});

test.each([
  [{ ANKIFY_MODEL: 'claude' }, 'ANKIFY_MODEL: use anthropic:<model>'],
  [{ ANKIFY_MODEL: 'anthropic:' }, 'ANKIFY_MODEL: use'],
  [{ ANKIFY_MODEL: 'azure:x' }, 'ANKIFY_MODEL: use'],
  [{ ANKIFY_MODEL: 'anthropic:claude\nx', ANTHROPIC_API_KEY: key }, 'ANKIFY_MODEL: use'],
  [{ ANKIFY_MODEL: 'anthropic:claude' }, 'ANTHROPIC_API_KEY: missing'],
  [{ ANKIFY_MODEL: 'openai:gpt' }, 'OPENAI_API_KEY: missing'],
  [{ ANKIFY_MODEL: 'bedrock:m' }, 'AWS_REGION: missing'],
  [
    { ANKIFY_MODEL: 'anthropic:c', ANTHROPIC_API_KEY: key, ANTHROPIC_BASE_URL: 'http://api.example' },
    'ANTHROPIC_BASE_URL: must be https',
  ],
  [{ ANKIFY_MODEL: 'openai:c', OPENAI_BASE_URL: 'https://u:p@api.example' }, 'OPENAI_BASE_URL: must have no user'],
  [{ ANKIFY_MODEL: 'openai:c', OPENAI_BASE_URL: 'nonsense' }, 'OPENAI_BASE_URL: not an absolute URL'],
])('%j is refused, without the key', async (env, message) => {
  const error = (await modelFromEnvironment(env).catch((thrown: unknown) => thrown)) as Error;
  expect(error.message).toContain(message);
  expect(error.message).not.toContain(key);
});
