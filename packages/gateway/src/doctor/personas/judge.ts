/** Facts to one verdict a client: it goes its way until it is stopped. Pure. */
import type { Facts } from '../facts.ts';
import { headerOf } from '../facts.ts';
import type { ClientVerdict } from '../finding.ts';
import { pageOrigin } from '../probe/endpoint.ts';
import { discovery } from './discovery.ts';
import { entrance } from './entrance.ts';
import { signIn } from './identity.ts';
import { type Hindrance, type Leg, type Persona, partly, type Step } from './persona.ts';
import { personas } from './table.ts';

export interface PersonaVerdict extends ClientVerdict {
  /** Where the outcome is decided; none: it works. */
  readonly step?: Step;
  /** What is known of this client, and whence. */
  readonly sources: readonly string[];
}

/** The worst first. `works`: as far as one comes without signing in, nothing stops it. */
const order: ReadonlyArray<ClientVerdict['outcome']> = ['fails', 'unknown', 'partly', 'works'];

/** The verdicts of these clients, or of all; those who fail first. */
export function judgeAll(facts: Facts, only?: readonly string[]): readonly PersonaVerdict[] {
  return personas
    .filter(({ client }) => only === undefined || only.includes(client))
    .map((persona) => judge(facts, persona))
    .toSorted((one, other) => order.indexOf(one.outcome) - order.indexOf(other.outcome));
}

/** For `--client`. */
export const personaNames: readonly string[] = personas.map(({ client }) => client);

export function judge(facts: Facts, persona: Persona): PersonaVerdict {
  const met = hindrances(facts, persona);
  // What is behind a certain end nobody sees; an uncertain one is kept for when there is no certain one.
  const outcome = order.find((one) => met.some((hindrance) => hindrance.outcome === one)) ?? 'works';
  const decisive = met.filter((hindrance) => hindrance.outcome === outcome);
  const { client, name, sources } = persona;
  const [first] = decisive;
  return {
    client,
    name,
    outcome: first ? outcome : 'works',
    reasons: decisive.map(({ reason }) => reason),
    ...(first && { step: first.step }),
    sources,
  };
}

function hindrances(facts: Facts, persona: Persona): readonly Hindrance[] {
  const met: Hindrance[] = [];
  for (const hindrance of way(facts, persona)) {
    met.push(hindrance);
    if (hindrance.outcome === 'fails') break;
  }
  return met;
}

function* way(facts: Facts, persona: Persona): Leg<never> {
  const entered = yield* entrance(facts, persona);
  if (entered === undefined) return undefined;
  yield* asAPage(facts, persona);
  if (entered === 'lets-in') return undefined;
  const server = yield* discovery(facts, persona);
  if (server) yield* signIn(facts, server, persona);
  return undefined;
}

/** What has a form in a browser needs CORS for that one. */
function* asAPage({ endpoint }: Facts, { alsoAPage }: Persona): Leg<never> {
  const { answer } = endpoint?.preflight ?? {};
  const allowed = headerOf(answer, 'access-control-allow-origin');
  const may = answer !== undefined && answer.status < 300 && (allowed === '*' || allowed === pageOrigin);
  if (alsoAPage && !may) {
    yield partly(
      'first answer',
      `Its command line connects; a page in a browser cannot, since OPTIONS at the MCP endpoint does not allow one (${answer?.status ?? 'no answer'}).`,
    );
  }
  return undefined;
}
