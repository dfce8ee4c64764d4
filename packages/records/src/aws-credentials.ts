/** Owns where credentials for AWS come from without the official client: the environment of Lambda, and of Fargate. */

import { readFile } from 'node:fs/promises';
import { RecordsError } from './records.ts';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Asked before every request; keeps what it gave for as long as it is good. */
export type CredentialSource = () => Promise<AwsCredentials>;

/** Before they end, so that a request on its way is not refused. */
const renewBeforeSeconds = 300;

/**
 * AWS_ACCESS_KEY_ID and its kin (Lambda sets them), else the container's endpoint (ECS, EKS Pod Identity), whose
 * credentials are renewed in time. Rejects with `RecordsError` where there is neither.
 */
export function environmentCredentials(env: Readonly<NodeJS.ProcessEnv> = process.env): CredentialSource {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env;
  if (accessKeyId && secretAccessKey) {
    const fixed = { accessKeyId, secretAccessKey, ...(token && { sessionToken: token }) };
    return async () => fixed;
  }
  const url = containerUrl(env);
  if (url === undefined) {
    return async () => {
      throw new RecordsError('there are no AWS credentials in the environment (AWS_ACCESS_KEY_ID, or a container’s)');
    };
  }
  let kept: { readonly credentials: AwsCredentials; readonly goodUntil: number } | undefined;
  let asking: Promise<AwsCredentials> | undefined;
  const ask = async (): Promise<AwsCredentials> => {
    const found = await askContainer(url, env);
    kept = found;
    return found.credentials;
  };
  return async () => {
    if (kept && Date.now() / 1000 < kept.goodUntil) return kept.credentials;
    // One request however many wait, and no failure is kept.
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };
}

/** https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html */
function containerUrl(env: Readonly<NodeJS.ProcessEnv>): string | undefined {
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: path, AWS_CONTAINER_CREDENTIALS_FULL_URI: full } = env;
  if (path) return `http://169.254.170.2${path}`;
  if (full === undefined || !URL.canParse(full)) return undefined;
  const { protocol, hostname } = new URL(full);
  // Over plain http only to this host and to the two addresses of AWS's own agents.
  const near = ['169.254.170.2', '169.254.170.23', '[fd00:ec2::23]', 'localhost', '[::1]'].includes(hostname);
  return protocol === 'https:' || near || /^127\./.test(hostname) ? full : undefined;
}

async function askContainer(url: string, env: Readonly<NodeJS.ProcessEnv>) {
  const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE;
  const authorization = file ? (await readFile(file, 'utf8')).trim() : env.AWS_CONTAINER_AUTHORIZATION_TOKEN;
  const answer = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(2000),
    headers: { ...(authorization && { authorization }) },
  });
  if (!answer.ok) throw new Error(`the container's credentials endpoint answered ${answer.status}`);
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = (await answer.json()) as Record<string, string>;
  if (!AccessKeyId || !SecretAccessKey) throw new Error("the container's credentials endpoint gave no credentials");
  return {
    credentials: {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      ...(Token && { sessionToken: Token }),
    },
    goodUntil: Expiration ? Date.parse(Expiration) / 1000 - renewBeforeSeconds : 0,
  };
}
