/** Deployments that do not let anybody in: registration off, and answers to listed places only (SEC-03, RFC 9700 §4.11). */
import { describe, expect, it } from 'vitest';
import { authorizePath, parsed, pkce, refusal, registerClient, request, startHarness } from '../harness.ts';

const metadataPath = '/.well-known/oauth-authorization-server';

describe('registration switched off', () => {
  it('has no endpoint, is not announced, and whoever registered before is unknown', async () => {
    const before = startHarness();
    const { client_id: clientId } = await registerClient(before);
    const harness = startHarness({ registration: 'off' });
    expect(harness.server.owns('/register')).toBe(false);
    const metadata = parsed(await harness.server.handle(request(metadataPath)));
    expect(metadata).not.toHaveProperty('registration_endpoint');
    const page = await harness.server.handle(request(authorizePath(clientId, pkce().challenge)));
    expect(refusal(harness, page)).toEqual([400, 'invalid_client', 'authorize.client_unknown']);
    // The same id where registration is open: it is the mode that decides.
    expect(parsed(await before.server.handle(request(metadataPath)))).toHaveProperty('registration_endpoint');
    const asked = await before.server.handle(request(authorizePath(clientId, pkce().challenge)));
    expect(asked?.status).toBe(200);
  });
});

describe('a list of redirect hosts', () => {
  it('lets clients register for these places and for no other', async () => {
    const harness = startHarness({ redirectHosts: ['claude.ai', 'localhost'] });
    const good = await registerClient(harness, {
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback', 'http://localhost:8787/callback'],
    });
    expect(good.client_id).toMatch(/^dcr_/);
    const bad = await registerClient(harness, {
      redirect_uris: ['https://claude.ai/x', 'https://evil.example/x'],
    });
    expect(bad).toMatchObject({ error: 'invalid_redirect_uri', error_description: expect.stringContaining('[1]') });
    expect(harness.events.at(-1)).toMatchObject({ reason: 'register.redirect_host' });
  });

  it('counts for ids that were issued before it was made', async () => {
    const { client_id: clientId } = await registerClient(startHarness());
    const harness = startHarness({ redirectHosts: ['claude.ai'] });
    const page = await harness.server.handle(request(authorizePath(clientId, pkce().challenge)));
    expect(refusal(harness, page)).toEqual([400, 'invalid_request', 'authorize.redirect_host']);
  });

  it('does not count for a client that the operator lists', async () => {
    const redirect = 'https://app.example/callback';
    const harness = startHarness({
      redirectHosts: ['claude.ai'],
      clients: [{ id: 'app', redirectUris: [redirect], secret: 'a-secret-of-at-least-thirty-two-bytes' }],
    });
    const page = await harness.server.handle(
      request(authorizePath('app', pkce().challenge, { redirect_uri: redirect })),
    );
    expect(page?.status).toBe(200);
  });

  it('that is wrong stops the start', () => {
    expect(() => startHarness({ redirectHosts: ['https://claude.ai'] })).toThrow(
      /redirectHosts: "https:\/\/claude\.ai" is no host/,
    );
  });
});
