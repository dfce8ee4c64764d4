/** The ways in which systems of this field were broken, and for each the regression tests that show ours is not. */
import type { VulnerabilityClass } from './requirement.ts';
import { browsers } from './vulnerabilities/browsers.ts';
import { credentials } from './vulnerabilities/credentials.ts';
import { tokens } from './vulnerabilities/tokens.ts';
import { wire } from './vulnerabilities/wire.ts';

export const vulnerabilities: readonly VulnerabilityClass[] = [...browsers, ...credentials, ...tokens, ...wire].map(
  ([id, cause, seenIn, ...tests]) => ({ id, cause, seenIn, tests }),
);
