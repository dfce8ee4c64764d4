/**
 * A run of whole Gatehouses: every request through `handle` or a guard, real MACs, sealing and EdDSA signatures, and a
 * sign-in page by page. Some hundred times slower than the core, and nothing left out but the sockets.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import type { HttpReply } from '../../packages/auth/src/gatehouse.ts';
import { type AuthRecords, authKinds, type Gatehouse, gatehouse, isReply } from '../../packages/auth/src/gatehouse.ts';
import type { IdentityProvider } from '../../packages/auth/src/identity-providers/identity-provider.ts';
import { OAuthError } from '../../packages/auth/src/oauth/error.ts';
import { verificationKey } from '../../packages/auth/src/oauth/jws.ts';
import { type Signer, signingInput } from '../../packages/auth/src/signers/signer.ts';
import {
  authorized,
  browser,
  form,
  type Harness,
  issuer,
  parsed,
  pkce,
  redirectUri,
  registerClient,
  resource,
  secret,
} from '../../packages/auth/test/harness.ts';
import type { Answer, Front, Start } from './cluster.ts';
import type { Stage, StageOptions } from './stage.ts';
import { connect } from './store.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = verificationKey('EdDSA', publicKey);

export function wholeStage({ scenario, world, store, provider, flaw, signerFails }: StageOptions): Stage {
  /** By the name that the history gives it. */
  const accessTokens = new Map<string, string>();
  const { verifier, challenge } = pkce();
  let clientId = '';
  let otherId = '';

  const identityProvider: IdentityProvider = {
    ...provider,
    name: 'Simulated',
    start: async ({ state }) => `https://idp.example/authorize?state=${state}`,
    finish: async () => ({
      identity: { issuer: 'https://idp.example', subject: 'person' },
      groups: [],
      ...(scenario.session && { session: provider.session }),
    }),
  };

  function signer(instance: string): Signer {
    return {
      algorithms: ['EdDSA'],
      ready: async () => {},
      async sign(type, claims) {
        if (signerFails(instance)) throw new OAuthError('temporarily_unavailable', 'The signer is away.');
        const input = signingInput('EdDSA', type, 'simulated', claims);
        return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
      },
      jwks: async () => ({ keys: [] }),
      verificationKey: (id) => (id === 'simulated' ? key : undefined),
    };
  }

  function server({ name, now, alive, die, onFault }: Start): Gatehouse {
    const slowAnswers = scenario.slowAnswers === true;
    const groupOf = (kind: string, value: unknown) => authKinds[kind as keyof AuthRecords].groupOf?.(value as never);
    return gatehouse({
      issuer,
      resources: [{ uri: resource, name: 'Simulated', scopes: { read: 'read' }, defaultScope: ['read'] }],
      identityProvider,
      records: connect<AuthRecords>({ world, store, name, now, alive, die, onFault, slowAnswers, flaw, groupOf }),
      secrets: [secret],
      signing: signer(name),
      now,
    });
  }

  function front(server: Gatehouse): Front {
    const guard = server.guard(resource);
    const post = async (path: string, fields: Record<string, string>): Promise<Answer> => {
      const reply = await server.handle(form(path, fields));
      if (!reply) throw new Error(`nobody at ${path}`);
      return answerOf(reply);
    };
    return {
      redeem: (code, wrong) =>
        post('/token', {
          grant_type: 'authorization_code',
          client_id: clientId,
          code,
          code_verifier: wrong ? 'w'.repeat(43) : verifier,
          redirect_uri: redirectUri,
          resource,
        }),
      refresh: (token, wrong) =>
        post('/token', { grant_type: 'refresh_token', client_id: wrong ? otherId : clientId, refresh_token: token }),
      revoke: (token) => post('/revoke', { client_id: clientId, token: accessTokens.get(token) ?? token }),
      async call(token) {
        const result = await guard({ authorization: `Bearer ${accessTokens.get(token)}` });
        return { status: isReply(result) ? result.status : 200 };
      },
    };
  }

  function answerOf(reply: HttpReply): Answer {
    const { status } = reply;
    if (reply.body === '') return { status };
    const { error, access_token: accessToken, refresh_token: refreshToken } = parsed(reply) as Record<string, string>;
    const name = `access.${accessTokens.size}`;
    if (accessToken !== undefined) accessTokens.set(name, accessToken);
    return {
      status,
      ...(error !== undefined && { error }),
      ...(accessToken !== undefined && { accessToken: name }),
      ...(refreshToken !== undefined && { refreshToken }),
    };
  }

  return {
    start: (options) => front(server(options)),
    async signIn() {
      const only = server({
        name: 'sign-in',
        now: () => world.seconds(0),
        alive: () => true,
        die: () => {},
        onFault: () => () => {},
      });
      const harness = { server: only, browser: () => browser(only.handle) } as unknown as Harness;
      clientId = (await registerClient(harness)).client_id;
      otherId = (await registerClient(harness, { client_name: 'Another client' })).client_id;
      const back = await authorized(harness, clientId, challenge, { scope: 'read' });
      return back.searchParams.get('code') ?? '';
    },
    ripen() {
      if (scenario.session && scenario.generation > 0) world.pass(3600);
    },
  };
}
