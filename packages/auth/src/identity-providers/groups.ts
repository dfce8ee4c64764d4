/** A person's groups as a validated token states them: names, bounded, and nothing else. */

const maxGroups = 200;
const maxGroupLength = 256;

/** A claim by its name, or the way to one inside others: `['realm_access', 'roles']`. */
export type ClaimPath = string | readonly string[];

/**
 * Strings only, each once; one string alone is one group, as several providers send it. What is empty, too long or no
 * string, and whatever comes after the 200th, is left out: a group too few opens no door.
 */
export function groupsOf(claims: Readonly<Record<string, unknown>>, path: ClaimPath | undefined): readonly string[] {
  if (path === undefined) return [];
  let value: unknown = claims;
  for (const name of typeof path === 'string' ? [path] : path) {
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
  }
  return boundedGroups(Array.isArray(value) ? value : [value]);
}

export function boundedGroups(values: readonly unknown[]): readonly string[] {
  const usable = values.filter(
    (value): value is string => typeof value === 'string' && value !== '' && value.length <= maxGroupLength,
  );
  return [...new Set(usable)].slice(0, maxGroups);
}
