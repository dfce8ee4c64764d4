/** The password policy in a sentence, for the forms. */
import type { Pool } from '../pool.ts';

export function passwordRule({ config }: Pool): string {
  const policy = config.passwordPolicy;
  const kinds = [
    policy.requireUppercase && 'an upper case letter',
    policy.requireLowercase && 'a lower case letter',
    policy.requireNumbers && 'a digit',
    policy.requireSymbols && 'a symbol',
  ].filter((kind) => kind !== false);
  const needs = kinds.length > 0 ? ` with ${new Intl.ListFormat('en').format(kinds)}` : '';
  return `At least ${policy.minimumLength} characters${needs}.`;
}
