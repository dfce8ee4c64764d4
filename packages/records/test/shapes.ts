/** Judges shapes of stored values, as lists of `path type` (described.ts): against a value, and against an older shape. */

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

interface Node {
  readonly optional: boolean;
  readonly list: boolean;
  /** Of a leaf. */
  type?: string;
  readonly within: Map<string, Node>;
}

/** Everything in the value that the shape does not have, and everything of the shape that is missing in it. */
export function faultsOf(value: Json, fields: readonly string[]): readonly string[] {
  return compare(value, tree(fields).within, '');
}

/**
 * What stands in the way of reading values of the shape before as values of the shape after: a field that was not always
 * there and now must be, or one of another type. What is no longer looked at does no harm.
 */
export function unreadable(before: readonly string[], after: readonly string[]): readonly string[] {
  const old = new Map(before.map((field) => [named(split(field)[0]).join('.'), split(field)]));
  const known = new Set([...old.keys()].flatMap((path) => prefixes(path.split('.'))));
  return after.filter((field) => {
    const [path, type] = split(field);
    const names = named(path);
    const parts = path.split('.');
    const was = old.get(names.join('.'));
    if (was) {
      const [oldPath, oldType] = was;
      const lists = (text: string) => text.replaceAll('?', '');
      const stricter = oldPath.split('.').some((part, at) => part.includes('?') && !parts[at]?.includes('?'));
      return oldType !== type || lists(oldPath) !== lists(path) || stricter;
    }
    // From here on it is new: that part may be missing, and is not inside of what was a value of its own.
    const first = prefixes(names).findIndex((prefix) => !known.has(prefix));
    return !parts[first]?.includes('?') || prefixes(names).some((prefix) => old.has(prefix));
  });
}

function named(path: string): readonly string[] {
  return path.split('.').map((part) => part.replace('?', '').replace('[]', ''));
}

function prefixes(names: readonly string[]): readonly string[] {
  return names.map((_, at) => names.slice(0, at + 1).join('.'));
}

function split(field: string): [path: string, type: string] {
  const at = field.lastIndexOf(' ');
  return [field.slice(0, at), field.slice(at + 1)];
}

function tree(fields: readonly string[]): Node {
  const root: Node = { optional: false, list: false, within: new Map() };
  for (const field of fields) {
    const [path, type] = split(field);
    let node = root;
    for (const part of path.split('.')) {
      const [, name = '', optional, list] = /^(\w+)(\?)?(\[\])?$/.exec(part) ?? [];
      const next = node.within.get(name) ?? { optional: !!optional, list: !!list, within: new Map() };
      node.within.set(name, next);
      node = next;
    }
    node.type = type;
  }
  return root;
}

function compare(value: Json, fields: ReadonlyMap<string, Node>, at: string): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${at || 'the value'} is no object`];
  const given = value as { readonly [name: string]: Json };
  const unknown = Object.keys(given).filter((name) => !fields.has(name));
  return [
    ...unknown.map((name) => `${at}${name} is not described`),
    ...[...fields].flatMap(([name, node]) => {
      const found = given[name];
      if (found === undefined) return node.optional ? [] : [`${at}${name} is missing`];
      if (node.type !== undefined) return isOf(found, node.type) ? [] : [`${at}${name} is no ${node.type}`];
      if (!node.list) return compare(found, node.within, `${at}${name}.`);
      if (!Array.isArray(found)) return [`${at}${name} is no list`];
      return found.flatMap((one, index) => compare(one, node.within, `${at}${name}[${index}].`));
    }),
  ];
}

function isOf(value: Json, type: string): boolean {
  if (type === 'JSON') return true;
  if (type === 'texts') return Array.isArray(value) && value.every((one) => typeof one === 'string');
  return typeof value === { text: 'string', number: 'number', flag: 'boolean' }[type];
}
