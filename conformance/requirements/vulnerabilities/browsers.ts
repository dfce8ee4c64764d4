/** Classes of vulnerability: consent, redirects and browsers. */
import type { VulnerabilityRow } from '../requirement.ts';
import * as of from '../test-files.ts';

export const browsers: readonly VulnerabilityRow[] = [
  [
    'VUL-01',
    'A redirect URI is parsed and compared by its parts, or by a prefix.',
    'CVE-2025-4143, CVE-2026-3872, CVE-2026-7504 (Keycloak)',
    of.redirectUri('%j is not %s'),
    of.redirectUriProperties('what matches goes to the very host that was registered'),
    of.authorize('until client and redirect URI are known good, a page and no redirect'),
  ],
  [
    'VUL-02',
    'A redirect URI runs a script, or belongs to a scheme of the browser’s own.',
    'GHSA-q9xg-f2v2-695g, GHSA-wx5f-576r-gpcx; GHSA-gh95-xx4q-qch8',
    of.redirectUri('%s is refused although its scheme was listed'),
    of.redirectUri('not %j'),
  ],
  [
    'VUL-03',
    'An error answer of ours is somebody’s open redirector.',
    'RFC 9700 §4.11.2; CVE-2026-44427 (MCP registry)',
    of.authorize('and to others only by the person’s own click (RFC 9700 §4.11.2)'),
    of.requestTarget('paths'),
  ],
  [
    'VUL-04',
    'Consent given to one client lets another ride on it (confused deputy).',
    'GHSA-c2jp-c369-7pvx (FastMCP), CVE-2026-101062 (Obot)',
    of.consent('the form names the client, so the code is the client’s that was shown'),
    of.consent('a client id in place of the form'),
  ],
  [
    'VUL-05',
    'The way back from the identity provider is not bound to the browser that consented.',
    'CVE-2026-27124 (FastMCP), CVE-2025-12419 (Mattermost)',
    of.callback('another browser changes nothing, and the honest one succeeds afterwards'),
    of.chromium('a consent form is worth nothing in another browser'),
  ],
  [
    'VUL-06',
    'A session or consent can be fixed or forged from elsewhere.',
    'Hydra PR 770, CVE-2024-28197 (Zitadel), CVE-2026-34454 (oauth2-proxy)',
    of.consentPage('a browser keeps its cookie, and one with a made-up cookie gets a new one'),
    of.connections('gives a new session each time, and ends the one before'),
    of.connections('nobody else’s hand'),
  ],
  [
    'VUL-07',
    'Consent is remembered for a client that anybody can claim to be.',
    'CVE-2023-34246 (Doorkeeper); OAuth 2.1, impersonation of native apps',
    of.authorize('nothing is stored before consent'),
    of.rememberedConsentProperties(
      'no page is skipped without a tick for that client and resource, in that browser, by the person who comes back',
    ),
    of.rememberedConsentOffer('not to one that registered itself, whatever it sends'),
    of.metadataDocumentFlow(
      'on a loopback port anybody can say that it is this client: nobody vouches, and no logo is shown',
    ),
  ],
  [
    'VUL-08',
    'A page reflects what a stranger wrote as markup.',
    'CVE-2025-62800 (FastMCP), CVE-2019-8400 (Hydra), CVE-2026-44429 (MCP registry)',
    of.reflected('as %s of the callback'),
    of.reflected('as %s of an authorization request'),
    of.consentPage('whatever they are, the page has the same elements'),
    of.callback('its words never reach the client'),
  ],
  [
    'VUL-09',
    'Pages can be framed, and the person’s click be stolen.',
    'RFC 9700 §4.16',
    of.chromium('the consent page cannot be framed'),
    of.connections('no script, nothing from elsewhere, not framed, not cached'),
  ],
  [
    'VUL-10',
    'A cookie goes over plain http, to scripts, or to other hosts.',
    'CVE-2026-48058 (nebula-mesh), CVE-2026-47676 (hono)',
    of.consentPage('the cookie is for this host alone, unseen by scripts, and gone when its form is'),
    of.connections('with a cookie for this host alone that no script sees'),
  ],
  [
    'VUL-11',
    'Pages of other origins may read the authorization endpoint, or a cache mixes up whose answer it has.',
    'CVE-2025-71381 (hono); RFC 9700 §2.6',
    of.discovery('%s is for no other origin'),
    of.proxyHeaders('to a page that may ask, CORS is ours: the origin that asked, and never credentials'),
  ],
];
