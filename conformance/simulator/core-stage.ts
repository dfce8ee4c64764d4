/** A run of the grant types, the revocation and what is beneath them, without endpoints and without real cryptography. */
import { authorizationCode } from '../../packages/auth/src/authorization-server/credential.ts';
import { OAuthError } from '../../packages/auth/src/oauth/error.ts';
import { coreInstance, grantId, lifetimes, newGrant, openKeyring, signerAway } from './core-instance.ts';
import { type Stage, type StageOptions, skewOf } from './stage.ts';
import { connect } from './store.ts';

export function coreStage({ scenario, world, store, provider, flaw, signerFails }: StageOptions): Stage {
  let serial = 0;
  return {
    start({ name, now, alive, die, onFault }) {
      const slowAnswers = scenario.slowAnswers === true;
      return coreInstance({
        records: connect<never>({ world, store, name, now, alive, die, onFault, slowAnswers, flaw }),
        now,
        identityProvider: provider,
        serial: () => ++serial,
        sessions: scenario.session === true,
        async sign(give) {
          if (signerFails(name))
            throw new OAuthError('temporarily_unavailable', 'The signer is away.', { reason: signerAway });
          return give();
        },
      });
    },
    async signIn() {
      const now = world.seconds(0);
      // As the callback leaves it; the session as it is an interval later, so that the first refresh has to ask.
      store.rows.set(`grant ${grantId}`, {
        value: newGrant(now, scenario.session ? now : undefined),
        version: 'new',
        expiresAt: now + lifetimes.codeSeconds + 300 + skewOf(scenario),
        group: 'subject',
      });
      if (scenario.session) {
        const sealed = openKeyring.seal(`identitySession ${grantId}`, provider.session);
        const renewedAt = now - lifetimes.identityCheckSeconds - skewOf(scenario);
        store.rows.set(`identitySession ${grantId}`, {
          value: { sealed, groups: [], renewedAt, failures: 0 },
          version: 'new',
          expiresAt: now + lifetimes.refreshIdleSeconds,
          group: undefined,
        });
      }
      return authorizationCode(openKeyring, grantId);
    },
    ripen() {},
  };
}
