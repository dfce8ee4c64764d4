/** What the metadata of an authorization server must have: the doctor’s rules against what both SDKs make of the same documents. */
import { discoverAuthorizationServerMetadata as discoverV2 } from '@modelcontextprotocol/client';
import { discoverAuthorizationServerMetadata as discoverV1 } from '@modelcontextprotocol/sdk/client/auth.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Finding } from '../../src/doctor/finding.ts';
import { at, doctor, members, metadataRoutes, missing } from './broken/broken.ts';
import { type Change, type GoodServer, metadata, startGoodServer } from './broken/good-server.ts';

let server: GoodServer;
beforeEach(async () => {
  server = await startGoodServer();
});
afterEach(() => server.close());

const forms: Readonly<Record<string, Change>> = {
  'RFC 8414': missing('server-openid'),
  OpenID: missing('server-oauth'),
};

/** Rules whose fault is that a document is not read at all. */
const unreadable = ['server.member-missing', 'server.endpoint-missing', 'server.endpoint-form'];

/** The SDK v1 does not compare the issuer, and still wants one to be there. */
const lacksIssuer = ({ id, saw }: Finding) => id === 'server.issuer' && saw.endsWith('issuer: absent');

async function refusals(change: Change) {
  const { findings } = await doctor(server, { change });
  const sdks = [];
  for (const discover of [discoverV1, discoverV2]) {
    sdks.push(
      await discover(server.origin).then(
        (found) => found === undefined,
        () => true,
      ),
    );
  }
  return { findings, sdks, ours: findings.some((one) => unreadable.includes(one.id) || lacksIssuer(one)) };
}

const names = Object.keys(metadata({ origin: '', issuerPath: '' }));
const changes: ReadonlyArray<readonly [is: string, of: Readonly<Record<string, unknown>>]> = [
  ['nothing wrong', {}],
  ...names.map((name) => [`no ${name}`, { [name]: undefined }] as const),
  ['response types in one word', { response_types_supported: 'code' }],
  ['response types that are no words', { response_types_supported: [1] }],
  ['subject types in one word', { subject_types_supported: 'public' }],
  ['no algorithms', { id_token_signing_alg_values_supported: [] }],
];

describe.each(Object.entries(forms))('the %s form', (form, alone) => {
  it.each(changes)('%s', async (_, of) => {
    const change: Change = (reply, asked, on) =>
      alone(reply, asked, on) ?? at(metadataRoutes, members(of))(reply, asked, on);
    const { findings, sdks, ours } = await refusals(change);
    const said = findings.map(({ id, saw }) => `${id}: ${saw}`).join('\n');
    expect(sdks, said).toEqual([ours, ours]);
    if (form === 'OpenID' && 'jwks_uri' in of) expect(sdks).toEqual([true, true]);
  });
});
