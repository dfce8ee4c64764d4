/** Hints for the edges and platforms of others: Cloudflare, Google Cloud, Vercel; and for Gatehouse itself. */
import { type Hint, innerName, streamEnds, unrouted } from './hint.ts';

export const cloudflareHints: readonly Hint[] = [
  {
    for: [
      'challenge.forbidden',
      'challenge.login-page',
      'challenge.server-error',
      'token.not-json',
      'registration.refused',
      'resource.guarded',
    ],
    lines: ({ path }) => [
      'Bot protection shows a puzzle to whoever is no browser, and Access a sign-in. A custom rule with the action Skip (all managed rules, Super Bot Fight Mode, rate limiting):',
      `(http.request.uri.path eq "${path}") or starts_with(http.request.uri.path, "/.well-known/oauth-") or (http.request.uri.path in {"/token" "/register" "/revoke"})`,
      `Access: an application for ${path} with a policy of the action Bypass, everyone`,
    ],
  },
  {
    for: streamEnds,
    lines: () => [
      'An answer of which nothing comes for 100 s is ended (524). A comment line keeps it:',
      'keepAliveSeconds: 20   (Gatehouse; elsewhere a comment line every 20 s)',
    ],
  },
  {
    for: ['session.stream-buffered'],
    lines: () => ['Compression holds events back; the server can forbid it:', 'Cache-Control: no-store, no-transform'],
  },
  {
    for: ['address.redirect-loop', 'address.redirect-downgrade', 'server.endpoint-plain-http'],
    lines: () => [
      'With the mode Flexible the server is asked over http, and sends everybody back to https. SSL/TLS, Overview:',
      'Full (strict)',
    ],
  },
  {
    for: ['tls.old-protocol'],
    lines: () => ['SSL/TLS, Edge Certificates:', 'Minimum TLS Version: TLS 1.2'],
  },
];

export const googleHints: readonly Hint[] = [
  {
    for: ['challenge.login-page', 'challenge.forbidden', ...unrouted],
    lines: ({ path }) => [
      `A path rule ${path}/* does not match ${path}; what it does not match goes to the default backend, often one with IAP. List both:`,
      `pathRules: [{ paths: ["${path}", "${path}/*", "/.well-known/*", "/authorize", "/token", "/register"], service: … }]`,
      'Cloud Run: gcloud run services add-iam-policy-binding … --member=allUsers --role=roles/run.invoker',
    ],
  },
  {
    for: streamEnds,
    lines: () => [
      'The backend’s timeout ends a stream even when it is busy; it is 30 s (Cloud Run: 300 s):',
      'gcloud compute backend-services update … --timeout=3600',
      'gcloud run services update … --timeout=3600',
    ],
  },
];

export const vercelHints: readonly Hint[] = [
  {
    for: ['challenge.login-page', 'challenge.not-bearer', 'resource.guarded'],
    lines: () => [
      'Deployment Protection asks for a sign-in at Vercel. Use the production domain, or in the project’s settings:',
      'Deployment Protection: Standard Protection (production stays public), or Disabled',
    ],
  },
  {
    for: streamEnds,
    lines: () => ['A function ends after its longest duration:', 'export const maxDuration = 800;'],
  },
  {
    for: unrouted,
    lines: () => [
      'Folders that begin with a dot are no routes; rewrite to one that is (vercel.json):',
      '{ "rewrites": [{ "source": "/.well-known/:path*", "destination": "/api/well-known/:path*" }] }',
    ],
  },
];

export const gatehouseHints: readonly Hint[] = [
  { for: ['server.no-documents'], lines: () => ['In the configuration:', 'metadataDocuments: {}'] },
  {
    for: ['server.no-registration', 'server.no-dynamic-registration'],
    lines: () => ['In the configuration:', 'registration: stateless'],
  },
  {
    for: ['browser.origin-refused', 'browser.preflight', 'browser.headers', 'browser.challenge-hidden'],
    lines: () => ['Pages of other origins are let in by name:', 'allowedOrigins: [http://localhost:6274]'],
  },
  { for: streamEnds, lines: () => ['At the resource:', 'keepAliveSeconds: 20'] },
  {
    for: innerName,
    lines: ({ host }) => ['The issuer is what people type, without a slash at its end:', `issuer: https://${host}`],
  },
];
