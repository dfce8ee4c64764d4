/** Groups at the identity provider become roles and permissions in our tokens, by the operator's rules (RFC 9068 §2.2.3.1). */
import { expect, it } from 'vitest';
import { isReply } from '../../src/gatehouse.ts';
import { resource, signedIn, startHarness } from '../harness.ts';

const roles = {
  groups: { staff: ['editor'] },
  everyone: ['reader'],
  roles: { editor: ['write:schemas'], reader: ['read:schemas'] },
};

it('puts roles and permissions into the token, for the guard to read', async () => {
  const harness = startHarness({ roles });
  harness.identityProvider.groups = ['staff', 'choir'];
  const { tokens } = await signedIn(harness);
  const token = await harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
  expect(isReply(token)).toBe(false);
  expect(token).toMatchObject({ roles: ['reader', 'editor'], permissions: ['read:schemas', 'write:schemas'] });
  // Of the groups only what a rule speaks of is kept.
  expect(await harness.records.dump()).toContain('"groups":["staff"]');
  expect(await harness.records.dump()).not.toContain('choir');
});

it('says nothing of roles where the operator has no rules', async () => {
  const harness = startHarness();
  harness.identityProvider.groups = ['staff'];
  const { tokens } = await signedIn(harness);
  const token = await harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
  expect(token).not.toHaveProperty('roles');
  expect(await harness.records.dump()).not.toContain('staff');
});

it('refuses rules that name a role without permissions of its own', () => {
  expect(() =>
    startHarness({ roles: { groups: { staff: ['edtor'] }, everyone: ['nobody'], roles: { editor: [] } } }),
  ).toThrow(/roles\.groups: the role "edtor" is not in roles[\s\S]*roles\.everyone: the role "nobody"/);
});
