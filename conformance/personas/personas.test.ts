/** Every client persona, from the first request to the revocation (reference, section 8): at each place its answers go. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { personas } from './cast.ts';
import type { Persona } from './persona.ts';
import { authorizeUrl, begin, play, signIn } from './play.ts';
import { nobodyReached, startVendors, type Vendors } from './vendors.ts';
import { startWorld, type World } from './world.ts';

let vendors: Vendors;
const worlds: World[] = [];
let usual: World;
let withoutDocuments: World;
let bareOrigin: World;
/** Nothing can be fetched: the reviewed copies stand in. */
let shutIn: World;
/** Registrations are records. */
let stored: World;

beforeAll(async () => {
  vendors = await startVendors();
  worlds.push(
    ...(await Promise.all([
      startWorld({ options: { metadataDocuments: vendors.reached } }),
      startWorld(),
      startWorld({ resourcePath: '', options: { metadataDocuments: vendors.reached } }),
      startWorld({ options: { metadataDocuments: nobodyReached } }),
      startWorld({ options: { registration: 'stored' } }),
    ])),
  );
  [usual, withoutDocuments, bareOrigin, shutIn, stored] = worlds as [World, World, World, World, World];
});
afterAll(async () => {
  await Promise.all(worlds.map((world) => world.close()));
  await vendors?.close();
});

const worldOf = ({ meets = {} }: Persona) =>
  meets.originResource ? bareOrigin : meets.documents === false ? withoutDocuments : usual;

it('every name is there once', () => {
  expect(new Set(personas.map(({ name }) => name)).size).toBe(personas.length);
});

describe.each(personas)('$name ($source)', (persona) => {
  it.each(persona.redirectUris)('answers at %s', async (redirectUri) => {
    await play(persona, worldOf(persona), { redirectUri, vendors });
  });
});

const byDocument = personas.flatMap((persona) =>
  persona.identity.by === 'document' ? [{ ...persona, identity: persona.identity }] : [],
);
const publicOnes = byDocument.filter(({ tokenAuth }) => tokenAuth === 'none');

describe('where no vendor can be reached, under the vendor’s own URL', () => {
  it.each(publicOnes.filter(({ identity }) => identity.pinned))('$name signs in by the reviewed copy', async (one) => {
    for (const redirectUri of one.redirectUris) {
      const run = await begin(one, shutIn, { redirectUri });
      // Its host vouches for it where the answer goes there; on loopback any program could say that it is this client.
      const { origin, host } = new URL(run.client.clientId);
      const page = await (await fetch(authorizeUrl(run).url)).text();
      expect(page.includes(`published by <strong>${host}</strong>`)).toBe(
        new URL(redirectUri.replace('{port}', '1')).origin === origin,
      );
      await signIn(run);
    }
  });
});

describe('where registrations are stored', () => {
  const registering = personas.filter(
    ({ identity, meets }) => identity.by === 'registration' && !meets?.originResource,
  );
  it.each(registering)('$name', async (one) => {
    await play(one, stored);
  });
});
