/** The gateway's configuration where it runs as a Lambda function: where it is found, and what no function can be. */
import { configVariable } from '../config/authorizer.ts';
import { ConfigError, checkConfig, parseConfig, readConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { isStdio } from '../config/target.ts';
import { strictJson } from '../tool-policy/strict-json.ts';

/** GATEHOUSE_CONFIG holds the path of the configuration, or its JSON. Throws a `ConfigError` that lists every fault. */
export function lambdaConfig(env: Readonly<NodeJS.ProcessEnv> = process.env): Config {
  const given = env[configVariable]?.trim() ?? '';
  if (given === '') {
    throw new ConfigError(configVariable, ['is not set: the path of a configuration file, or its JSON']);
  }
  const [source, text] = given.startsWith('{') ? [configVariable, given] : [given, readConfig(given)];
  const config = checkConfig(source, parsed(source, text));
  const faults = lambdaFaults(config);
  if (faults.length > 0) throw new ConfigError(source, faults);
  return config;
}

/** The reader of YAML reads JSON too and says better what is wrong; but it costs a start its import. */
function parsed(source: string, text: string): unknown {
  const json = strictJson(text, 64);
  return json.fault === undefined ? JSON.parse(json.text) : parseConfig(source, text);
}

/** What works in a process that lives, and would fail here now and then, without a word. */
export function lambdaFaults({ records, resources }: Pick<Config, 'records' | 'resources'>): readonly string[] {
  const faults: string[] = [];
  if (records.type === 'memory') {
    faults.push('records: each instance has a memory of its own: take dynamodb, postgres or redis');
  }
  if (records.type === 'sqlite') {
    faults.push('records: each instance has a disk of its own, and SQLite none over the network: take dynamodb');
  }
  resources.forEach(({ target }, index) => {
    if (isStdio(target)) {
      faults.push(`resources[${index}].target: a command cannot live in a function that is frozen: take a URL`);
    }
  });
  return faults;
}
