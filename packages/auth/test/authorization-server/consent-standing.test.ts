/** What the consent page says of a client somebody vouches for, and what of one nobody does: name, logo, policy (SEC-12). */
import { describe, expect, it } from 'vitest';
import type { Client, ClientLogo } from '../../src/authorization-server/clients/client.ts';
import { consentPage } from '../../src/authorization-server/pages/consent.ts';
import { resource } from '../harness.ts';

const logo = { type: 'image/png', base64: 'iVBORw0KGgo=' };

type Changes = Partial<Client> & { readonly logo?: ClientLogo };

const pageOf = ({ logo: shown, ...changes }: Changes) =>
  consentPage({
    proven: changes.proven ?? true,
    logo: shown,
    client: {
      id: 'https://app.example/client.json',
      source: 'metadata-document',
      name: 'Notes',
      redirectUris: [],
      grantTypes: [],
      authMethods: ['none'],
      proven: true,
      ...changes,
    },
    redirectUri: 'https://app.example/cb',
    resource: { uri: resource, scopes: {} },
    scope: [],
    identityProviderName: 'Example Login',
    form: 'form',
    action: '/consent',
    cookie: 'a=b',
  });
const policyOf = (changes: Changes) => String(pageOf(changes).headers['content-security-policy']);

describe('a client that is proven', () => {
  it('by its metadata document: who published it', () => {
    const { body } = pageOf({});
    expect(body).toContain('published by <strong>app.example</strong>');
    expect(body).not.toContain('nobody has checked it');
  });

  it('by the operator', () => {
    expect(pageOf({ source: 'configured', id: 'notes' }).body).toContain('known to whoever runs this server');
  });

  it('shows its logo from within the page, and the policy allows that and no more', () => {
    const { body } = pageOf({ logo });
    expect(body.match(/<img [^>]*>/g)).toEqual([
      '<img class="logo" alt="" width="48" height="48" src="data:image/png;base64,iVBORw0KGgo=">',
    ]);
    expect(policyOf({ logo })).toBe(`${policyOf({})}; img-src data:`);
  });
});

describe('no logo, and no pictures in the policy', () => {
  it.each<[string, Changes]>([
    ['of a client nobody vouches for', { proven: false, logo }],
    ['that is a program', { logo: { type: 'image/svg+xml', base64: 'AAAA' } }],
    ['that is no picture', { logo: { type: 'text/html', base64: 'AAAA' } }],
    ['that is not base64', { logo: { type: 'image/png', base64: '"><script>' } }],
    ['where there is none', {}],
  ])('%s', (_, changes) => {
    expect(pageOf(changes).body).not.toContain('<img');
    expect(policyOf(changes)).not.toContain('img-src');
  });
});
