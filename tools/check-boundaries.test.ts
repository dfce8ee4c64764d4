import { describe, expect, it } from 'vitest';
import { crossings } from './check-boundaries.ts';

const guard = 'packages/auth/src/resource-server/guard.ts';
const cases: ReadonlyArray<[what: string, path: string, source: string, found: number]> = [
  ['a neighbour in the same room', guard, "import { a } from './verifier.ts';", 0],
  ['a room it may use', guard, "import { a } from '../oauth/error.ts';", 0],
  ['a file of a room it may use one file of', guard, "import type { Signer } from '../signers/signer.ts';", 0],
  ['another file of that room', guard, "import { a } from '../signers/local.ts';", 1],
  ['an endpoint', guard, "import { a } from '../authorization-server/endpoints/token.ts';", 1],
  ['a database', guard, "import { a } from '@mcp-gatehouse/records/sqlite';", 1],
  ['a Node module', guard, "import { a } from 'node:crypto';", 0],
  ['a dynamic import', guard, "const a = await import('@modelcontextprotocol/server');", 1],
  ['an import for its effect', guard, "import 'undici';", 1],
  ['a re-export', guard, "export { a } from '@mcp-gatehouse/records';", 1],
  ['an import over several lines', guard, "import {\n  a,\n  b,\n} from 'zod';", 1],
  ['a package whose name begins like an allowed one', 'packages/gateway/src/a.ts', "import { a } from 'zod-extra';", 1],
  ['a sub-path of an allowed package', 'packages/gateway/src/a.ts', "import { a } from '@mcp-gatehouse/auth/page';", 0],
  [
    'an app that reaches into the authorization server',
    'apps/ankify/src/a.ts',
    "import { a } from '@mcp-gatehouse/auth';",
    1,
  ],
  [
    'the gateway through the front of a package’s sources',
    'packages/gateway/src/a.ts',
    "import { a } from '../../auth/src/gatehouse.ts';",
    1,
  ],
  ['records, which imports nothing', 'packages/records/src/a.ts', "import { a } from '@mcp-gatehouse/auth/guard';", 1],
  ['a file in no room', 'packages/new/src/a.ts', '', 1],
];

describe('boundaries', () => {
  it.each(cases)('%s', (_, path, source, found) => {
    expect(crossings(path, source)).toHaveLength(found);
  });
});
