/** Whatever clients, browsers and people do, in whatever order: a page is skipped only for who ticked the box on one (SEC-04, SEC-05). */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { resource } from '../harness.ts';
import { codeOf, fromSite, mail, notes, otherResource, outcome, remembering } from './remembered-consent-setup.ts';

const clients = [notes.id, mail.id];
const people = ['person-1', 'person-2'];
const scopes = ['read', 'read write'];
const resources = [resource, otherResource];

const step = fc.record({
  what: fc.constantFrom(...Array(9).fill('ask'), 'deny', 'revoke', 'swap cookies', 'wait'),
  browser: fc.constantFrom(0, 0, 0, 1, 2),
  person: fc.constantFrom('person-1', ...people),
  client: fc.constantFrom(notes.id, ...clients),
  resource: fc.constantFrom(resource, ...resources),
  scope: fc.constantFrom(...scopes),
  tick: fc.constantFrom(true, true, false),
  sent: fc.constantFrom(fromSite, fromSite, fromSite, { ...fromSite, referer: 'https://evil.example/' }),
});

/** What somebody allowed with a tick, in the words of the test and not of the code. */
interface Tick {
  readonly person: string;
  readonly scope: readonly string[];
  readonly until: number;
  readonly refreshTokens: string[];
}

it('no page is skipped without a tick for that client and resource, in that browser, by the person who comes back', async () => {
  let skipped = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 40 }), async (steps) => {
      const { harness, ask, answer, signIn, redeem, revoke } = remembering();
      const browsers = [harness.browser(), harness.browser(), harness.browser()];
      const ticks = new Map<string, Tick>();
      for (const { what, browser, person, client, resource: at, scope, tick, sent } of steps) {
        const by = browsers[browser] as (typeof browsers)[number];
        const key = JSON.stringify([browser, client, at]);
        const changes = { client_id: client, resource: at, scope };
        const wanted = at === otherResource ? ['read'] : scope.split(' ');
        harness.clock.seconds += 60;
        if (what === 'wait') {
          harness.clock.seconds += 11 * 24 * 3600;
          continue;
        }
        if (what === 'revoke') {
          const token = ticks.get(key)?.refreshTokens.at(-1);
          // The client `notes` revokes; for `mail` its answer is a refusal and changes nothing.
          if (token !== undefined && client === notes.id) {
            await revoke(token);
            ticks.delete(key);
          }
          continue;
        }
        if (what === 'swap cookies') {
          // Another browser learns the value of the short-lived cookie alone, as a page of a sibling host could plant it.
          const other = browsers[(browser + 1) % 3] as (typeof browsers)[number];
          for (const [name, value] of by.cookies) if (!name.endsWith('consents')) other.cookies.set(name, value);
          continue;
        }
        harness.identityProvider.identity = { issuer: 'https://idp.example', subject: person };
        const reply = await ask(by, changes, sent);
        const allowed = ticks.get(key);
        if (outcome(reply) === 'unasked') {
          skipped++;
          expect(sent).toBe(fromSite);
          if (!allowed) throw new Error(`skipped without a tick: ${key}`);
          expect(wanted.every((token) => allowed.scope.includes(token))).toBe(true);
          expect(harness.clock.seconds).toBeLessThan(allowed.until);
          const back = await signIn(by, reply);
          if (person === allowed.person) {
            const tokens = await redeem(back, client);
            if (typeof tokens.refresh_token === 'string') allowed.refreshTokens.push(tokens.refresh_token);
          } else {
            expect(codeOf(back)).toBeNull();
            ticks.delete(key);
          }
          continue;
        }
        expect(outcome(reply)).toBe('asked');
        if (what === 'deny') {
          await answer(by, reply, { decision: 'deny' });
          ticks.delete(key);
          continue;
        }
        const back = await signIn(by, await answer(by, reply, tick ? { remember: 'yes' } : {}));
        const tokens = await redeem(back, client);
        if (!tick) continue;
        const until = harness.clock.seconds + 30 * 24 * 3600;
        ticks.set(key, { person, scope: wanted, until, refreshTokens: [String(tokens.refresh_token)] });
      }
    }),
    { numRuns: 150 },
  );
  // It would prove little if nothing had ever been remembered.
  expect(skipped).toBeGreaterThan(50);
});
