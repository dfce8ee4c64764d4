/**
 * Owns how a package says what it stores: a table of every field of every kind, which the compiler holds against the
 * record types. A field that is missing, gone, optional or of another type is an error; docs/records.md is made of these.
 */

import type { RecordMap } from './records.ts';

/**
 * `plain`: as it is. `hashed`: only a digest is stored. `derived`: computed from other data, and tells nothing without
 * them. `sealed`: encrypted, and worth nothing without a key that is elsewhere.
 */
export type Protection = 'plain' | 'hashed' | 'derived' | 'sealed';

type Leaf<Type extends string> = readonly [type: Type, protection: Protection, meaning: string];

/** Optional fields carry a `?` behind their name. */
export type DescribedFields<T> = {
  readonly [F in keyof T & string as Record<never, never> extends Pick<T, F> ? `${F}?` : F]-?: DescribedField<
    Exclude<T[F], undefined>
  >;
};

/** What has fields is described field by field; `JSON` is for what somebody else defines. */
type DescribedField<V> = [V] extends [string]
  ? Leaf<'text'>
  : [V] extends [number]
    ? Leaf<'number'>
    : [V] extends [boolean]
      ? Leaf<'flag'>
      : [V] extends [readonly string[]]
        ? Leaf<'texts'>
        : [V] extends [ReadonlyArray<infer E>]
          ? { readonly each: DescribedFields<E> }
          : { readonly of: DescribedFields<V> } | Leaf<'JSON'>;

export interface DescribedKind<T> {
  /** What the id is made of. */
  readonly id: string;
  /** How long a record stays. */
  readonly life: string;
  readonly fields: DescribedFields<T>;
}

export type DescribedKinds<R extends RecordMap> = { readonly [K in keyof R & string]: DescribedKind<R[K]> };

/** A table without its types, for those who read any. */
export interface AnyFields {
  readonly [name: string]: Leaf<string> | { readonly each: AnyFields } | { readonly of: AnyFields };
}

export interface FieldRow {
  /** `keys[].retiredAt?`: in each of a list, and not always there. */
  readonly path: string;
  readonly type: string;
  readonly protection: Protection;
  readonly meaning: string;
}

/** All fields of a table, those within others among them, in its order. */
export function fieldRows(fields: AnyFields, prefix = ''): readonly FieldRow[] {
  return Object.entries(fields).flatMap(([name, field]): readonly FieldRow[] => {
    const path = prefix + name;
    if ('each' in field) return fieldRows(field.each, `${path}[].`);
    if ('of' in field) return fieldRows(field.of, `${path}.`);
    const [type, protection, meaning] = field;
    return [{ path, type, protection, meaning }];
  });
}
