/** Every challenge is one that a parser of RFC 9110 reads back, whatever operators, targets and clients put into it (RFC 6750 §3). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OAuthError } from '../../src/oauth/error.ts';
import { challenge, insufficientScope, invalidToken } from '../../src/resource-server/challenge.ts';
import { parsed } from '../harness.ts';

/** RFC 9110 §11.6.1, §5.6.4: one scheme, then `token = quoted-string` with commas between. Undefined: it is no challenge. */
function read(header: string): { scheme: string; parameters: ReadonlyArray<readonly [string, string]> } | undefined {
  const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
  const start = new RegExp(`^(${token}) (?=.)`).exec(header);
  if (!start) return undefined;
  const parameter = new RegExp(
    `(${token})[ \\t]*=[ \\t]*"((?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*)"`,
    'y',
  );
  const comma = /[ \t]*,[ \t]*/y;
  const parameters: Array<readonly [string, string]> = [];
  for (let at = start[0].length; ; ) {
    parameter.lastIndex = at;
    const found = parameter.exec(header);
    if (!found) return undefined;
    parameters.push([(found[1] ?? '').toLowerCase(), (found[2] ?? '').replace(/\\(.)/g, '$1')]);
    at = parameter.lastIndex;
    if (at === header.length) return { scheme: start[1] ?? '', parameters };
    comma.lastIndex = at;
    if (!comma.test(header)) return undefined;
    at = comma.lastIndex;
  }
}

/** Any text at all, and texts made of what ends a string, a header or a list. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom(...'"\\,=; \t\r\n\u0000\u007f\u00ff\u2028é', 'error', 'Bearer ', 'x'),
    maxLength: 40,
  }),
);
const facts = fc.record({ resourceMetadata: hostile, scope: fc.array(hostile, { maxLength: 5 }) });
const refusals = fc.oneof(
  fc.constant(undefined),
  hostile.map(() => invalidToken('token.form')),
  hostile.map((text) => new OAuthError('invalid_request', text, { status: 400, reason: 'token.header' })),
);
const runs = { numRuns: 5000 };

/** Names that RFC 6750 §3 and RFC 9728 §5.1 give the parameters. */
const known = ['error', 'error_description', 'scope', 'resource_metadata'];

describe('challenges', () => {
  it('the reader of this test refuses what is none', () => {
    for (const none of [
      'Bearer',
      'Bearer ',
      'Bearer a="b" c="d"',
      'Bearer a="b',
      'Bearer a="b"c"',
      'Bearer a="b",',
      'Bearer a="\r\n"',
    ]) {
      expect(read(none), none).toBeUndefined();
    }
    expect(read('Bearer a="b\\"c", d=""')).toEqual({
      scheme: 'Bearer',
      parameters: [
        ['a', 'b"c'],
        ['d', ''],
      ],
    });
  });

  it('every challenge reads back by the grammar of RFC 9110, whatever went in', () => {
    fc.assert(
      fc.property(facts, refusals, (given, refusal) => {
        const reply = challenge(given, refusal);
        const header = String(reply.headers['www-authenticate']);
        // What a header may hold on any hop: visible ASCII and spaces (RFC 9110 §5.5).
        expect(header).toMatch(/^[\x20-\x7e]*$/);
        const answer = read(header);
        expect(answer?.scheme).toBe('Bearer');
        const names = answer?.parameters.map(([name]) => name) ?? [];
        // Each once, in one order, and none that a value smuggled in.
        expect(names).toEqual(known.filter((name) => names.includes(name)));
        expect(names.includes('scope')).toBe(given.scope.length > 0);
        expect(names.includes('error')).toBe(refusal !== undefined);
        expect(names).toContain('resource_metadata');
      }),
      runs,
    );
  });

  it('what may stand in a challenge comes back as it was', () => {
    const allowed = fc.string({ unit: fc.constantFrom(...'abc:/.-_~?&=,;%+ !#[]()'), maxLength: 60 });
    const token = fc.string({ unit: fc.constantFrom(...'abz:/.-_!#[]~'), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(allowed, fc.array(token, { minLength: 1, maxLength: 5 }), (resourceMetadata, scope) => {
        const reply = insufficientScope({ resourceMetadata, scope });
        const parameters = new Map(read(String(reply.headers['www-authenticate']))?.parameters);
        expect(parameters.get('resource_metadata')).toBe(resourceMetadata);
        expect(parameters.get('scope')).toBe(scope.join(' '));
        expect(parameters.get('error')).toBe('insufficient_scope');
        // The body says the same, for those behind front doors that rename the header.
        expect(parsed(reply)).toMatchObject({
          error: parameters.get('error'),
          error_description: parameters.get('error_description'),
          scope: parameters.get('scope'),
          resource_metadata: resourceMetadata,
        });
      }),
      runs,
    );
  });
});
