/**
 * Which people may use the house at all, where the operator keeps a list. Asked before a code is issued, at every refresh and
 * at every confirmation by the identity provider, so that who is taken off the list is out with their next refresh.
 *
 * Not asked on the page of connections: it gives no access, and somebody who may no longer come in must still be able to see
 * and take back what they allowed. Nor of machines (`client_credentials`): they are no people, and each is configured by name.
 */

import { domainPatternFault, isDomainOf } from '../oauth/email-domain.ts';
import { OAuthError } from '../oauth/error.ts';

/** One match of any kind admits. */
export interface People {
  /** By the `sub` of their tokens. */
  readonly users?: readonly string[];
  /** By a group at the identity provider. */
  readonly groups?: readonly string[];
  /**
   * By the domain of an e-mail address that the identity provider says is verified (identity-providers/verified-email.ts:
   * what counts for that at each): `example.com`, or `*.example.com` for every domain below it; in Unicode or ASCII. The
   * provider must be asked for the address: scope `email`. GitHub is not asked.
   */
  readonly emailDomains?: readonly string[];
}

/** What is known of a person who comes. */
export interface PersonFacts {
  readonly subject: string;
  readonly groups?: readonly string[] | undefined;
  readonly emailDomain?: string | undefined;
}

/** Without a list everybody is admitted whom the identity provider signs in. */
export function admits(people: People | undefined, { subject, groups = [], emailDomain }: PersonFacts): boolean {
  if (!people) return true;
  return (
    (people.users?.includes(subject) ?? false) ||
    groups.some((group) => people.groups?.includes(group)) ||
    listedDomain(people, emailDomain) !== undefined
  );
}

/** To the client, and through it to the person: no word of what would have admitted them. */
export function notAdmitted(): OAuthError {
  return new OAuthError('access_denied', 'This person may not come in here; the operator keeps a list.', {
    reason: 'people.not_listed',
  });
}

/** The domain where the list has it: all that is worth keeping of an address. */
export function listedDomain(people: People | undefined, domain: string | null | undefined): string | undefined {
  if (typeof domain !== 'string') return undefined;
  return people?.emailDomains?.some((pattern) => isDomainOf(domain, pattern)) ? domain : undefined;
}

/** Whether the provider could know something that admits a person of whom too little was kept: the list has changed since. */
export function mayBeListed({ groups = [], emailDomains = [] }: People): boolean {
  return groups.length > 0 || emailDomains.length > 0;
}

/** Everything wrong with the list, each after the path it stands at; empty: nothing. */
export function peopleFaults({ users = [], groups = [], emailDomains = [] }: People): readonly string[] {
  const faults: string[] = [];
  // Somebody who empties a list means that nobody may come in, or that everybody may: they must say which.
  if (users.length + groups.length + emailDomains.length === 0)
    faults.push('people: names nobody; leave it out to admit everybody who signs in');
  users.forEach((user, index) => {
    if (!/^[A-Za-z0-9_-]{43}$/.test(user))
      faults.push(`people.users[${index}]: "${user}" is not the \`sub\` of a person, 43 characters`);
  });
  groups.forEach((group, index) => {
    if (group === '' || group.length > 256) faults.push(`people.groups[${index}]: must have 1 to 256 characters`);
  });
  emailDomains.forEach((pattern, index) => {
    const fault = domainPatternFault(pattern);
    if (fault !== undefined) faults.push(`people.emailDomains[${index}]: "${pattern}" ${fault}`);
  });
  return faults;
}
