/** The server that the broken ones are made from: the doctor has nothing to say, whatever it looks at. */
import { expect, it } from 'vitest';
import { doctor } from './broken.ts';
import { goodToken, mcpPath, startGoodServer } from './good-server.ts';

it('is good', async () => {
  const server = await startGoodServer();
  const { findings, facts } = await doctor(server, {
    token: ({ origin }) => goodToken(origin + mcpPath),
    options: { streamSeconds: 1 },
  });
  expect(findings.map(({ id, saw }) => `${id}: ${saw}`)).toEqual(['address.not-public: “localhost” is 127.0.0.1.']);
  expect(facts.unfinished).toEqual([]);
  expect(facts.session?.stream?.end).toBe('kept');
  await server.close();
});
