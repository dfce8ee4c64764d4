/** The model that the environment names. */
import { anthropicModel } from './anthropic.ts';
import type { Model } from './model.ts';
import { openAiCompatibleModel } from './openai-compatible.ts';
import { checkedBase } from './post-json.ts';

/**
 * `<variable>=anthropic:<model>` with ANTHROPIC_API_KEY (and ANTHROPIC_BASE_URL), `bedrock:<model or inference profile>`
 * with AWS's own variables, or `openai:<model>` with OPENAI_API_KEY and OPENAI_BASE_URL. Undefined: the variable is not
 * set. Rejects with an `Error` that names the variable that is wrong, and never shows a key.
 */
export async function modelFromEnvironment(
  env: Readonly<NodeJS.ProcessEnv>,
  variable = 'ANKIFY_MODEL',
): Promise<Model | undefined> {
  const named = env[variable];
  if (!named) return undefined;
  const colon = named.indexOf(':');
  const provider = named.slice(0, Math.max(0, colon));
  const model = named.slice(colon + 1);
  if (!['anthropic', 'bedrock', 'openai'].includes(provider) || !/^[\x21-\x7e]{1,300}$/.test(model)) {
    throw new Error(`${variable}: use anthropic:<model>, bedrock:<model> or openai:<model>`);
  }
  if (provider === 'bedrock') {
    const { AWS_REGION, AWS_DEFAULT_REGION } = env;
    const region = AWS_REGION || AWS_DEFAULT_REGION;
    if (!region) throw new Error(`AWS_REGION: missing; ${variable} names a model of Amazon Bedrock`);
    // Only who uses it loads the client.
    const { bedrockModel } = await import('./bedrock.ts');
    return bedrockModel({ model, client: { region } });
  }
  if (provider === 'anthropic') {
    const { ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL } = env;
    if (!ANTHROPIC_API_KEY) throw new Error(`ANTHROPIC_API_KEY: missing; ${variable} names a model of Anthropic`);
    return anthropicModel({ model, apiKey: ANTHROPIC_API_KEY, ...baseFrom('ANTHROPIC_BASE_URL', ANTHROPIC_BASE_URL) });
  }
  const { OPENAI_API_KEY, OPENAI_BASE_URL } = env;
  if (!OPENAI_API_KEY && !OPENAI_BASE_URL) {
    throw new Error(`OPENAI_API_KEY: missing; without OPENAI_BASE_URL, ${variable} names a model of OpenAI`);
  }
  return openAiCompatibleModel({
    model,
    ...(OPENAI_API_KEY && { apiKey: OPENAI_API_KEY }),
    ...baseFrom('OPENAI_BASE_URL', OPENAI_BASE_URL),
  });
}

function baseFrom(variable: string, value: string | undefined): { readonly baseUrl?: string } {
  if (!value) return {};
  checkedBase(variable, value);
  return { baseUrl: value };
}
