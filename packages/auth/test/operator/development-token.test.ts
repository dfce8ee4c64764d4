/** A token that an operator makes for trying things out: good at the guards, named everywhere, bounded, and refused in words. */
import { describe, expect, it } from 'vitest';
import {
  type DevelopmentTokenRequest,
  developmentClientId,
  isReply,
  issueDevelopmentToken,
  KeySetSealedError,
  keyring,
} from '../../src/gatehouse.ts';
import { subjectOf } from '../../src/identity-providers/identity-provider.ts';
import { issuer, resource, secret, startHarness } from '../harness.ts';

const resources = [{ uri: resource, scopes: { read: 'read', write: 'write' }, defaultScope: ['read'] }];

async function make(request: DevelopmentTokenRequest, harness = startHarness(), secrets = [secret]) {
  const { records, clock, events } = harness;
  const made = await issueDevelopmentToken(
    { records, keyring: keyring(issuer, secrets), resources, log: (event) => events.push(event), now: clock.seconds },
    request,
  );
  return { made, harness };
}

describe('a development token', () => {
  it('passes the guard of a running gateway and says what was asked for', async () => {
    const { made, harness } = await make({
      scope: ['write', 'read', 'read'],
      subject: 'tester',
      seconds: 60,
      roles: ['editor'],
      permissions: ['write:things'],
    });
    if (made.outcome !== 'issued') throw new Error(made.faults.join());
    const authorization = `Bearer ${made.accessToken}`;
    const token = await harness.server.guard(resource)({ authorization });
    expect(token).toMatchObject({
      subject: 'tester',
      clientId: developmentClientId,
      scope: ['write', 'read'],
      audience: resource,
      issuer,
      expiresAt: harness.clock.seconds + 60,
      roles: ['editor'],
      permissions: ['write:things'],
    });
    expect(token).not.toHaveProperty('grantId');
    harness.clock.seconds += 66;
    expect(isReply(await harness.server.guard(resource)({ authorization }))).toBe(true);
  });

  it('is for the least scope, a quarter of an hour and nobody in particular unless told, and is an audit event', async () => {
    const { made, harness } = await make({});
    expect(made).toMatchObject({
      outcome: 'issued',
      resource,
      subject: 'development',
      scope: ['read'],
      expiresAt: harness.clock.seconds + 900,
    });
    expect(harness.events.at(-1)).toMatchObject({ event: 'token.development', resource, scope: 'read', seconds: 900 });
    expect(JSON.stringify(harness.events)).not.toContain(made.outcome === 'issued' ? made.accessToken : '');
  });

  it('names a person in the log as everything else does, and never an address', async () => {
    const subject = subjectOf({ issuer: 'https://idp.example', subject: 'alice' });
    const { harness } = await make({ subject });
    expect(harness.events.at(-1)).toMatchObject({ person: subject.slice(0, 8) });
    await make({ subject: 'alice@example.com' }, harness);
    expect(JSON.stringify(harness.events)).not.toContain('alice');
  });

  it('says in the log what roles and permissions it was given, bounded', async () => {
    const permissions = Array.from({ length: 100 }, (_, n) => `${n}`.padEnd(256, 'p'));
    const { harness } = await make({ roles: ['admin', 'auditor'], permissions });
    const { roles, permissions: named } = harness.events.at(-1) as { roles?: string; permissions?: string };
    expect(roles).toBe('admin auditor');
    expect(named).toHaveLength(500);
    await make({ roles: [] }, harness);
    expect(harness.events.at(-1)).not.toHaveProperty('roles');
  });

  it.each<[DevelopmentTokenRequest, RegExp]>([
    [{ resource: 'https://auth.example/other' }, /^resource: give one of https:\/\/auth\.example\/mcp$/],
    [{ scope: ['admin'] }, /^scope: "admin" is none of read, write$/],
    [{ scope: ['toString'] }, /^scope: /],
    [{ subject: '' }, /^subject: /],
    [{ subject: 'two words' }, /^subject: /],
    [{ subject: 'x'.repeat(256) }, /^subject: /],
    [{ seconds: 0 }, /^seconds: must be a whole number from 1 to 3600$/],
    [{ seconds: 3601 }, /^seconds: /],
    [{ seconds: 1.5 }, /^seconds: /],
    [{ roles: [''] }, /^roles: /],
    [{ permissions: Array.from({ length: 101 }, String) }, /^permissions: /],
  ])('refuses %j and says so', async (request, words) => {
    const { made, harness } = await make(request);
    expect(made).toEqual({ outcome: 'refused', faults: [expect.stringMatching(words)] });
    expect(harness.events).toEqual([]);
    expect(harness.records.calls).toEqual([]);
  });

  it('cannot be made with other secrets than the gateway’s', async () => {
    const { harness } = await make({});
    const other = [{ id: 'k1', secret: 'not the secret of that gateway, but as long as it' }];
    await expect(make({}, harness, other)).rejects.toThrow(KeySetSealedError);
  });
});
