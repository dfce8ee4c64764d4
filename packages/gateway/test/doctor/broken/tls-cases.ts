/** Servers whose TLS is wrong. */
import type { SecureVersion } from 'node:tls';
import { certificate } from '../../../../auth/test/net/servers.ts';
import { at, type Broken, messages, namesHere } from './broken.ts';
import { createAuthority } from './certificates.ts';

const day = 86_400_000;
const soon = (days: number) => new Date(Date.now() + days * day);

export function tlsCases(): readonly Broken[] {
  const authority = createAuthority();
  const known = { options: { ca: authority.root } };
  const good = authority.issue({ names: ['localhost'] });
  const served = ({ key, chain: cert }: typeof good) => ({ key, cert });
  return [
    { is: 'nothing, over TLS', tls: served(good), ...known, finds: [] },
    {
      is: 'a port without TLS',
      typed: ({ port }) => `https://localhost:${port}/mcp`,
      finds: ['tls.handshake'],
    },
    {
      is: 'TLS 1.1 and nothing newer',
      tls: {
        ...served(good),
        minVersion: 'TLSv1.1' as SecureVersion,
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      },
      ...known,
      finds: ['tls.handshake'],
    },
    {
      is: 'TLS 1.1 beside newer ones',
      tls: { ...served(good), minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
      ...known,
      finds: ['tls.old-protocol'],
    },
    {
      is: 'a redirect out of TLS',
      tls: served(good),
      ...known,
      change: at(messages, (_, { secure }, { port }) =>
        secure ? { status: 308, headers: { location: `http://localhost:${port}/mcp` }, body: '' } : undefined,
      ),
      // What the server says of itself is right, and is no longer where it was asked.
      finds: ['address.redirect-downgrade', 'challenge.resource-metadata-elsewhere'],
    },
    {
      is: 'http that redirects to https',
      tls: served(authority.issue({ names: ['mcp.example.test'] })),
      options: { ...known.options, resolve: namesHere },
      prepare: (server) => {
        server.origin = `https://mcp.example.test:${server.port}`;
      },
      typed: ({ port }) => `http://mcp.example.test:${port}/mcp`,
      change: (_, { secure, path }, { origin }) =>
        secure ? undefined : { status: 301, headers: { location: origin + path }, body: '' },
      finds: ['address.plain-http'],
    },
    {
      is: 'an expired certificate',
      tls: served(authority.issue({ names: ['localhost'], from: soon(-30), until: soon(-1) })),
      ...known,
      finds: ['tls.expired'],
    },
    {
      is: 'a certificate of next week',
      tls: served(authority.issue({ names: ['localhost'], from: soon(7), until: soon(90) })),
      ...known,
      finds: ['tls.not-yet-valid'],
    },
    {
      is: 'a certificate that ends in two days',
      tls: served(authority.issue({ names: ['localhost'], from: soon(-60), until: soon(2) })),
      ...known,
      finds: ['tls.expires-soon'],
    },
    {
      is: 'a certificate for somebody else',
      tls: served(authority.issue({ names: ['other.example.com'] })),
      ...known,
      finds: ['tls.wrong-name'],
    },
    { is: 'a certificate that signs itself', tls: certificate('localhost'), finds: ['tls.self-signed'] },
    {
      is: 'a certificate without its intermediate',
      tls: { key: good.key, cert: good.leaf },
      ...known,
      finds: ['tls.incomplete-chain'],
    },
    {
      is: 'an authority that nobody knows',
      tls: { key: good.key, cert: good.chain + authority.root },
      finds: ['tls.untrusted'],
    },
  ];
}
