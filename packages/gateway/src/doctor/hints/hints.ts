/** `--fix`: what to change at the front door that was seen, for one finding. Pure. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { type FrontDoor, frontDoorsOf } from '../front-doors.ts';
import { words } from '../rules/observe.ts';
import { albHints, apiGatewayHints, cloudFrontHints, functionUrlHints } from './aws.ts';
import { cloudflareHints, gatehouseHints, googleHints, vercelHints } from './edges.ts';
import { type Hint, innerName, placeOf, streamEnds, unrouted } from './hint.ts';
import { apacheHints, caddyHints, envoyHints, nginxHints } from './proxies.ts';

export type Door = FrontDoor | 'gatehouse' | 'unknown';

/** Where no front door shows itself, or none of those that do has a word on it. */
const anywhere: readonly Hint[] = [
  {
    for: ['challenge.renamed', 'challenge.missing'],
    lines: ({ metadataUrl }) => [
      'This is what must come through everything that stands before the server:',
      `WWW-Authenticate: Bearer resource_metadata="${metadataUrl}"`,
    ],
  },
  {
    for: unrouted,
    lines: ({ path }) => [
      'Whatever stands before the server must send it these paths, with every method, uncached:',
      `${path}   /.well-known/oauth-*   /.well-known/openid-configuration   /authorize   /token   /register`,
    ],
  },
  {
    for: ['session.stream-buffered'],
    lines: () => [
      'Whatever stands before the server must not buffer or compress text/event-stream. The server can ask for it:',
      'X-Accel-Buffering: no',
      'Cache-Control: no-store, no-transform',
    ],
  },
  {
    for: streamEnds,
    lines: () => [
      'Raise the idle timeout of whatever stands before the server, or send something before it is over:',
      'keepAliveSeconds: 20   (Gatehouse; elsewhere a comment line every 20 s)',
    ],
  },
  {
    for: innerName,
    lines: ({ host }) => [
      'The server takes its name from the inner request. Tell it its public URL, or have it trust these of the one before it:',
      `X-Forwarded-Host: ${host}`,
      'X-Forwarded-Proto: https',
    ],
  },
];

export const hints: Readonly<Partial<Record<Door, readonly Hint[]>>> = {
  cloudflare: cloudflareHints,
  cloudfront: cloudFrontHints,
  vercel: vercelHints,
  google: googleHints,
  'api-gateway': apiGatewayHints,
  'function-url': functionUrlHints,
  alb: albHints,
  envoy: envoyHints,
  nginx: nginxHints,
  caddy: caddyHints,
  apache: apacheHints,
  gatehouse: gatehouseHints,
  unknown: anywhere,
};

const names: Readonly<Partial<Record<Door, string>>> = {
  cloudflare: 'Cloudflare',
  cloudfront: 'CloudFront',
  vercel: 'Vercel',
  google: 'Google Cloud',
  'api-gateway': 'API Gateway',
  'function-url': 'Lambda Function URL',
  alb: 'Load balancer (ALB)',
  envoy: 'Envoy',
  gatehouse: 'Gatehouse',
  apache: 'Apache',
  caddy: 'Caddy',
};

/** A line each, the outermost front door first; none: the cure of the finding says it all. */
export function hintsFor({ id }: Pick<Finding, 'id'>, facts: Facts): readonly string[] {
  const place = placeOf(facts.typed.url);
  const at = (door: Door): readonly string[] =>
    (hints[door] ?? [])
      .filter((hint) => hint.for.includes(id))
      .flatMap(({ lines }) => {
        const [sentence = '', ...configuration] = lines(place);
        const name = door === 'unknown' ? undefined : (names[door] ?? door);
        return [name === undefined ? sentence : `${name}: ${sentence}`, ...configuration];
      });
  const doors: readonly Door[] = [...frontDoorsOf(facts), ...(isGatehouse(facts) ? (['gatehouse'] as const) : [])];
  const specific = doors.flatMap(at);
  return specific.length > 0 ? specific : at('unknown');
}

/** No header says so; together these members are nobody else's. */
function isGatehouse({ authorizationServers }: Facts): boolean {
  return authorizationServers.some(
    ({ metadata = {} }) =>
      words(metadata.protected_resources).length > 0 &&
      words(metadata.response_modes_supported).join() === 'query' &&
      words(metadata.subject_types_supported).join() === 'public' &&
      metadata.revocation_endpoint_auth_signing_alg_values_supported !== undefined,
  );
}
