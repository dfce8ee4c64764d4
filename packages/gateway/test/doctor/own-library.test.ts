/** The doctor at our own library in every shape: issuers and resources with and without a path, clients by their documents. */
import { expect, it } from 'vitest';
import { nobodyReached } from '../../../../conformance/personas/vendors.ts';
import { startWorld, type WorldOptions } from '../../../../conformance/personas/world.ts';
import { diagnose } from '../../src/doctor/diagnose.ts';
import { examine } from '../../src/doctor/examine.ts';
import { readTypedUrl } from '../../src/doctor/typed-url.ts';

const shapes: ReadonlyArray<WorldOptions & { readonly typedSlash?: true }> = [
  {},
  { issuerPath: '/tenant1' },
  { resourcePath: '' },
  // A bare origin and its slash are one URL, to every client.
  { resourcePath: '', typedSlash: true },
  { issuerPath: '/tenant1', resourcePath: '' },
];

it.each(shapes)('nothing above a note at %o', async ({ typedSlash, ...shape }) => {
  // Whatever vendor's document is wanted: it cannot be fetched, and the reviewed copy has to do.
  const world = await startWorld({ ...shape, options: { metadataDocuments: nobodyReached } });
  try {
    const typed = readTypedUrl(typedSlash ? `${world.mcp}/` : world.mcp);
    if (typeof typed === 'string') throw new Error(typed);
    // A clock that stands still: how busy the computer is, is nobody's fault.
    const facts = await examine({ typed, register: true, timeoutSeconds: 60, streamSeconds: 0, now: () => 0 });
    const { findings } = diagnose(facts);
    expect(findings.map(({ id, saw }) => `${id}: ${saw}`)).toEqual(['address.not-public: “localhost” is 127.0.0.1.']);
    const [server] = facts.authorizationServers;
    expect(server?.documentClients.map(({ exchange }) => exchange.answer?.status)).toEqual(Array(6).fill(200));
    expect(server?.issuer).toBe(world.issuer);
  } finally {
    await world.close();
  }
});
