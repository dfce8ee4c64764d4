/** A proxy with one client id at the identity provider: the confused deputy (PX-01 to PX-06). */
import { type Requirement, revisions } from './requirement.ts';
import {
  authorize,
  callback,
  chromium,
  consent,
  consentPage,
  consentStanding,
  log,
  oidc,
  proxyHeaders,
  redirectUri,
  rememberedConsent,
  rememberedConsentOffer,
  secrecy,
} from './test-files.ts';

export const proxy: readonly Requirement[] = [
  {
    id: 'PX-01',
    level: 'MUST',
    requirement: 'Each client is consented to by the person before the identity provider is asked.',
    source: 'MCP security best practices, Confused Deputy',
    revisions,
    tests: [
      consent('the form names the client, so the code is the client’s that was shown'),
      consent('goes back to the client with state and iss, and asks nobody'),
      authorize('nothing is stored before consent'),
      consentStanding('a client that is proven'),
      rememberedConsentOffer('not to one that registered itself, whatever it sends'),
      rememberedConsent('the page is shown again'),
    ],
  },
  {
    id: 'PX-02',
    level: 'MUST',
    requirement: 'The consent page names client, scopes and redirect host, is safe from forgery, and cannot be framed.',
    source: 'MCP security best practices, Confused Deputy',
    revisions,
    tests: [
      consentPage('who wants what, where the answer goes, and who asks for the password'),
      consentPage('nothing but show it here and now'),
      consent('refused with a page, and nothing happens'),
      chromium('the consent page cannot be framed'),
    ],
  },
  {
    id: 'PX-03',
    level: 'MUST',
    requirement:
      'The cookie of a consent is __Host-, Secure, HttpOnly and Lax, and bound to the request with its client.',
    source: 'MCP security best practices, Confused Deputy',
    revisions,
    tests: [
      consentPage('the cookie is for this host alone, unseen by scripts, and gone when its form is'),
      consent('in another browser, that has a cookie of its own'),
      consent('a client id in place of the form'),
    ],
  },
  {
    id: 'PX-04',
    level: 'MUST',
    requirement: 'Redirect URIs are compared as text; a changed one has to be registered again.',
    source: 'MCP security best practices, Confused Deputy',
    revisions,
    tests: [
      redirectUri('which presented URI is a registered one'),
      authorize('no redirect URI where there are several'),
    ],
  },
  {
    id: 'PX-05',
    level: 'MUST',
    requirement:
      'The state at the identity provider begins with consent, is random, bound to the browser, used once, and ten minutes old at most.',
    source: 'MCP security best practices, Confused Deputy',
    revisions,
    tests: [
      consent('state, nonce and verifier are new every time and unlike one another'),
      callback('another browser changes nothing, and the honest one succeeds afterwards'),
      callback('of fifty parallel callbacks one succeeds'),
      callback('after ten minutes'),
    ],
  },
  {
    id: 'PX-06',
    level: 'MUST NOT',
    requirement:
      'Neither does the client’s token reach the identity provider or the target, nor the provider’s token the client.',
    source: 'MCP security best practices, Token Passthrough',
    revisions,
    tests: [
      proxyHeaders('the token does not cross, spelled %s'),
      secrecy('no record ever held a code, token, verifier, state, cookie, nonce or secret'),
      oidc('the whole way: consent, the provider’s own login form, a code for the client, tokens'),
      log('with its failures holds no code, token, verifier, cookie, state, signature or secret'),
    ],
  },
];
