/** One broken server for each thing that the doctor knows: it finds exactly that, and every rule has such a server. */
import { describe, expect, it } from 'vitest';
import { allRules } from '../../../src/doctor/diagnose.ts';
import { authorizeCases, registrationCases, sessionCases, tokenCases } from './authorization-cases.ts';
import { type Broken, doctor } from './broken.ts';
import { addressCases, answerCases, browserCases, challengeCases, speedCases } from './endpoint-cases.ts';
import { startGoodServer } from './good-server.ts';
import { resourceCases, serverCases } from './metadata-cases.ts';
import { tlsCases } from './tls-cases.ts';

const cases: Readonly<Record<string, readonly Broken[]>> = {
  address: addressCases,
  TLS: tlsCases(),
  'first answer': answerCases,
  challenge: challengeCases,
  'metadata of the resource': resourceCases,
  'metadata of the authorization server': serverCases,
  registration: registrationCases,
  'authorization endpoint': authorizeCases,
  'token endpoint': tokenCases,
  browsers: browserCases,
  'behind the token': sessionCases,
  speed: speedCases,
};

for (const [chapter, broken] of Object.entries(cases)) {
  describe(chapter, () => {
    for (const one of broken) {
      it(`${one.is}: ${one.finds.join(', ') || 'nothing'}`, async () => {
        const server = await startGoodServer(one.tls);
        try {
          const { findings, facts } = await doctor(server, one);
          const found = [...new Set(findings.map(({ id }) => id))].sort();
          expect(found, findings.map(({ id, saw }) => `${id}: ${saw}`).join('\n')).toEqual(
            [...one.finds, ...(one.elsewhere ? [] : ['address.not-public'])].sort(),
          );
          expect(facts.unfinished).toEqual([]);
        } finally {
          await server.close();
        }
      });
    }
  });
}

it('has a broken server for every rule', () => {
  const covered = new Set(Object.values(cases).flatMap((broken) => broken.flatMap(({ finds }) => finds)));
  covered.add('address.not-public'); // every one of them
  expect(allRules.map(({ id }) => id).filter((id) => !covered.has(id))).toEqual([]);
  // And no rule is two.
  expect(new Set(allRules.map(({ id }) => id)).size).toBe(allRules.length);
});
