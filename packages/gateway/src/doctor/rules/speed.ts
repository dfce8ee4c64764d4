/** How long a client waits, against the 10 s that Claude gives the token endpoint and a sign-in its person's patience. */
import { type Exchange, type Facts, lastOf } from '../facts.ts';
import type { Rules } from '../finding.ts';
import { objectOf } from '../probe/metadata.ts';
import { ofServers, seen } from './observe.ts';

/** Claude's, for the answer of the token endpoint (reference: MCP authorization, section 8.3). */
const tokenLimitMs = 10_000;
const slowMs = 3_000;
/** A pause that a person notices, and that a second request does not have. */
const coldMs = 1_500;

export const speedRules: Rules = [
  {
    id: 'speed.token',
    severity: 'fault',
    title: 'The token endpoint takes longer than clients wait',
    why: 'Claude gives up after 10 s: people sign in, see that it worked, and have no connection.',
    spec: 'Claude’s documentation of custom connectors',
    cure: 'Find out what it waits for: a cold start, a slow database, a call to the identity provider. Keep an instance warm.',
    check: (facts) =>
      ofServers(facts, ({ token }) =>
        slowest(token) >= tokenLimitMs ? `It took ${seconds(slowest(token))}.` : undefined,
      ),
  },
  {
    id: 'speed.discovery',
    severity: 'warning',
    title: 'It takes long until somebody can sign in',
    why: 'A client asks four or five things one after the other before it opens a browser, and some give the whole of it 10 s.',
    spec: 'MCP 2026-07-28, Authorization, “Authorization Flow Steps”',
    cure: 'Answer the first request and the metadata without a database, cache the metadata, keep an instance warm.',
    check: (facts) => {
      const way = wayOf(facts);
      const sum = way.reduce((total, { ms }) => total + ms, 0);
      return seen(
        way.length > 0 &&
          sum >= slowMs &&
          `${seconds(sum)} in ${way.length} requests; the longest ${seconds(Math.max(...way.map(({ ms }) => ms)))}.`,
      );
    },
  },
  {
    id: 'speed.cold-start',
    severity: 'note',
    title: 'The first request takes much longer than the next',
    why: 'A server that was asleep: whoever comes first waits, and clients with short limits fail once and then work.',
    spec: '–',
    cure: 'Keep an instance warm, or make it start faster.',
    check: ({ endpoint }) => {
      const [first, again] = [endpoint?.initialize.hops[0]?.ms ?? 0, endpoint?.again.ms ?? 0];
      return seen(
        endpoint?.again.answer && first >= coldMs && first > 3 * again && `${seconds(first)}, then ${seconds(again)}.`,
      );
    },
  },
];

/** What a client asks until it opens the browser: the endpoint, the documents it finds first, and its registration. */
function wayOf({ endpoint, resourceMetadata, authorizationServers }: Facts): readonly Exchange[] {
  const [server] = authorizationServers;
  const document = resourceMetadata.find(({ fetched }) => objectOf(fetched) !== undefined);
  const metadata = server?.documents.find(({ fetched }) => fetched.url === server.metadataUrl);
  const registered = server?.registrations.find(({ purpose }) => purpose === 'native');
  return [
    ...(endpoint ? [lastOf(endpoint.initialize)] : []),
    ...(document ? document.fetched.hops : []),
    ...(metadata ? metadata.fetched.hops : []),
    ...(registered ? [registered.exchange] : []),
  ];
}

function slowest(token: Facts['authorizationServers'][number]['token']): number {
  return Math.max(0, token?.unknownClient.ms ?? 0, token?.wrongCode?.ms ?? 0, token?.wrongRefreshToken?.ms ?? 0);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
