/** What each stored field means and how it is protected: docs/records.md is made of it. Held against the types by the compiler. */
import type { DescribedKinds } from '@mcp-gatehouse/records';
import type { AuthRecords } from './authorization-server/records.ts';
import type { KeySet } from './signers/key-set.ts';

/** As stored: a key set that was rotated holds more than every reader needs to know. */
type StoredRecords = Omit<AuthRecords, 'keySet'> & { keySet: KeySet };

const clientDigest = ['text', 'hashed', 'SHA-256 of the client id'] as const;
const subject = ['text', 'derived', 'the person here: SHA-256 of issuer and subject at the identity provider'] as const;
const scope = ['texts', 'plain', 'what was asked for and allowed'] as const;
const resource = ['text', 'plain', 'the MCP server it is for'] as const;
const redirectUri = ['text', 'plain', 'where the client is, as presented'] as const;
const codeChallenge = ['text', 'hashed', 'PKCE: SHA-256 of the verifier, made by the client'] as const;
const browser = ['text', 'hashed', 'SHA-256 of the binding cookie'] as const;
const keyId = ['text', 'plain', 'which of the operator’s secrets derives verifier and nonce'] as const;
const documentDigest = ['text', 'hashed', 'of the client’s metadata document, if it has one'] as const;

export const describedAuthRecords: DescribedKinds<StoredRecords> = {
  grant: {
    id: '128 random bits',
    life: 'code not redeemed: until 5 minutes after its expiry; then 30 days from the last use, a year at most; ended: until its last access token has expired',
    fields: {
      clientDigest,
      'clientName?': ['text', 'plain', 'what the client called itself when the person consented'],
      subject,
      identity: {
        of: {
          issuer: ['text', 'plain', 'the identity provider'],
          subject: ['text', 'plain', 'the person there; never an e-mail address'],
        },
      },
      'groups?': ['texts', 'plain', 'those of the provider’s groups that the role rules or the list of people name'],
      'emailDomain?': ['text', 'plain', 'of the person’s verified e-mail address, where the list of people has it'],
      scope,
      resource,
      redirectUri,
      codeChallenge,
      createdAt: ['number', 'plain', 'when the person signed in'],
      codeExpiresAt: ['number', 'plain', 'the end of the authorization code'],
      generation: ['number', 'plain', '0: the code is not redeemed; n: the n-th refresh token is current'],
      advancedAt: ['number', 'plain', 'when the generation last advanced'],
      graceReplays: ['number', 'plain', 'how often the credential before was answered again in this generation'],
      'sessionDueAt?': ['number', 'plain', 'when the identity provider is to be asked about the person again'],
      'endedAt?': ['number', 'plain', 'when it was over'],
      'endReason?': ['text', 'plain', 'why'],
    },
  },
  authorizationRequest: {
    id: 'SHA-256 of the `state` at the identity provider',
    life: 'as long as its consent form could come again: 40 minutes; good for 10',
    fields: {
      clientDigest,
      'clientName?': ['text', 'plain', 'what the client calls itself'],
      redirectUri,
      'sealedState?': ['text', 'sealed', 'the client’s own `state`'],
      scope,
      resource,
      codeChallenge,
      browser,
      signInExpiresAt: ['number', 'plain', 'when the sign-in must be back'],
      keyId,
      'usedAt?': ['number', 'plain', 'when it came back: the state is spent'],
      'remember?': {
        of: {
          id: ['text', 'derived', 'of the remembered consent this sign-in is to leave'],
          'documentDigest?': documentDigest,
        },
      },
      'remembered?': {
        of: {
          id: ['text', 'derived', 'of the remembered consent it stands on'],
          'documentDigest?': documentDigest,
          clientId: ['text', 'plain', 'to ask anew if somebody else comes back; only ids of proven clients'],
        },
      },
    },
  },
  keySet: {
    id: '`access-token` and SHA-256 of the issuer',
    life: 'for ever; a key in it: until the last token it signed has expired',
    fields: {
      current: ['text', 'plain', 'id of the key that signs'],
      keys: {
        each: {
          kid: ['text', 'plain', 'id of the key'],
          algorithm: ['text', 'plain', 'what it signs with'],
          createdAt: ['number', 'plain', 'when it was made'],
          publicKey: ['JSON', 'plain', 'the public half, a JWK: published'],
          sealedPrivateKey: ['text', 'sealed', 'the private half, a JWK; empty once it signs no more'],
          'retiredAt?': ['number', 'plain', 'when it stops signing'],
        },
      },
      'next?': {
        of: {
          kid: ['text', 'plain', 'id of the key that signs next'],
          signsFrom: ['number', 'plain', 'from when'],
        },
      },
    },
  },
  dataKeys: {
    id: '`secrets`; with a key management service only',
    life: 'for ever',
    fields: {
      made: ['number', 'plain', 'how many there have been: no id is given twice'],
      keys: {
        each: {
          id: ['text', 'plain', 'id of the secret'],
          keyId: ['text', 'plain', 'the KMS key that wraps it'],
          createdAt: ['number', 'plain', 'when it was made'],
          wrapped: ['text', 'sealed', 'the secret, wrapped by the key management service'],
        },
      },
    },
  },
  spentAssertion: {
    id: 'SHA-256 of purpose, issuer and `jti`',
    life: 'until the assertion has expired, and 15 minutes',
    fields: { spentAt: ['number', 'plain', 'when it was used'] },
  },
  registeredClient: {
    id: 'the client id; with stored registration only',
    life: '30 days without use',
    fields: {
      'name?': ['text', 'plain', 'what the client calls itself'],
      redirectUris: ['texts', 'plain', 'as registered'],
      grantTypes: ['texts', 'plain', 'as registered'],
      authMethod: ['text', 'plain', 'as registered'],
      'secretDigest?': ['text', 'hashed', 'SHA-256 of the client secret, which is 256 random bits'],
      createdAt: ['number', 'plain', 'when it was registered'],
      'usedAt?': ['number', 'plain', 'when it last got a token, to the day'],
    },
  },
  personSignIn: {
    id: 'SHA-256 of the `state` at the identity provider',
    life: '10 minutes; taken by the callback',
    fields: { browser, keyId },
  },
  personSession: {
    id: 'SHA-256 of the cookie',
    life: '15 minutes without use, 4 hours at most',
    fields: {
      subject,
      browser,
      signedInAt: ['number', 'plain', 'when the person signed in'],
      seenAt: ['number', 'plain', 'when its end was last put off'],
    },
  },
  rememberedConsent: {
    id: 'MAC over the browser’s cookie, the client and the resource',
    life: '30 days at most; no longer than the grants that stand on it',
    fields: {
      subject,
      clientDigest,
      scope,
      resource,
      redirectUri,
      'documentDigest?': documentDigest,
      grantIds: ['texts', 'plain', 'the grants that stand on it'],
      givenAt: ['number', 'plain', 'when the person consented'],
    },
  },
  auditEvent: {
    id: 'time, newest first, and random bits',
    life: '90 days unless told',
    fields: {
      time: ['number', 'plain', 'when it happened'],
      instance: ['text', 'plain', 'which process saw it'],
      event: ['text', 'plain', 'its name (events.md)'],
      level: ['text', 'plain', 'how much it matters'],
      outcome: ['text', 'plain', 'whether it was allowed'],
      'person?': ['text', 'derived', 'the beginning of the person’s digest'],
      'client?': ['text', 'hashed', 'the beginning of the client’s digest'],
      'grant?': ['text', 'plain', 'id of the grant'],
      details: ['JSON', 'plain', 'the event’s other fields (events.md); no credential is among them'],
    },
  },
  identitySession: {
    id: 'that of its grant',
    life: 'as long as its grant could still be refreshed, and 5 minutes',
    fields: {
      sealed: ['text', 'sealed', 'what the identity provider gave to ask it again: its refresh token'],
      groups: ['texts', 'plain', 'those of the provider’s groups that the rules name, as it last said'],
      'emailDomain?': ['text', 'plain', 'of the person’s verified e-mail address, where the list of people has it'],
      'accessToken?': {
        of: {
          sealed: ['text', 'sealed', 'the provider’s access token, where the resource passes it on to its target'],
          'endsAt?': ['number', 'plain', 'when it ends'],
        },
      },
      renewedAt: ['number', 'plain', 'when the provider last said that the person is who they were'],
      failures: ['number', 'plain', 'attempts since then that learnt nothing'],
      'retryAt?': ['number', 'plain', 'the end of the pause after such an attempt'],
      'attempt?': {
        of: {
          by: ['text', 'plain', 'who is asking the provider now: a random name'],
          leaseUntil: ['number', 'plain', 'for how long nobody else asks'],
        },
      },
      'lost?': ['flag', 'plain', 'an attempt came to no end: what is sealed may have been rotated away'],
      'over?': ['flag', 'plain', 'the grant has ended, and the provider could not be told yet'],
    },
  },
};
