/** Whether the list of people can admit by e-mail at all: a provider speaks of addresses where it is asked to (OpenID Connect Core §5.4). Pure. */
import type { Config } from '../config/schema.ts';
import type { Finding } from './finding.ts';

export function peopleFindings({
  people,
  identityProvider: provider,
}: Pick<Config, 'people' | 'identityProvider'>): readonly Finding[] {
  const domains = people?.emailDomains ?? [];
  if (domains.length === 0 || tellsAddress(provider)) return [];
  const others = (people?.users?.length ?? 0) + (people?.groups?.length ?? 0) > 0;
  const outcome = others ? 'nobody comes in by their domain' : 'nobody comes in';
  return [
    provider.type === 'github'
      ? {
          check: 'people',
          outcome: 'warning',
          says: `people.emailDomains: GitHub is asked for no e-mail address, so ${outcome}`,
          cure: 'list people.groups (an organisation, with the scope read:org) or people.users; or sign people in elsewhere',
        }
      : {
          check: 'people',
          outcome: 'warning',
          says: `people.emailDomains: identityProvider.scope does not ask for email, so ${outcome}${unlessUnasked(provider)}`,
          cure: `write identityProvider.scope: [${[...(provider.scope ?? []), 'email'].join(', ')}]`,
        },
  ];
}

/**
 * Three tell an address unasked. Cognito releases every attribute for `openid` alone, and with `profile` or `phone` only
 * theirs (developer guide, "Scopes, M2M, and resource servers"); Keycloak’s client scope `email` is a default one of every
 * client; Entra has its optional claims `email` and `xms_edov`, without which the scope would be of no use.
 */
function tellsAddress({ type, scope = [] }: Config['identityProvider']): boolean {
  switch (type) {
    case 'github':
      return false;
    case 'keycloak':
    case 'entra':
      return true;
    case 'cognito':
      return scope.includes('email') || !(scope.includes('profile') || scope.includes('phone'));
    default:
      return scope.includes('email');
  }
}

function unlessUnasked({ type }: Config['identityProvider']): string {
  return type === 'oidc' ? ' unless the provider tells addresses unasked' : '';
}
