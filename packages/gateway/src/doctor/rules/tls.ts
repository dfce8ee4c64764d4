/** Certificates and protocol versions, of the MCP server and of its authorization servers. */
import type { Facts, TlsFacts } from '../facts.ts';
import type { Observation, Rules } from '../finding.ts';
import { list } from './observe.ts';

const everybody = 'Every client refuses the connection before the first byte of HTTP.';

/** OpenSSL's name for a fault to the rule that explains it; what stands here is not “untrusted”. */
const explained: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'tls.expired',
  CERT_NOT_YET_VALID: 'tls.not-yet-valid',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls.self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls.incomplete-chain',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls.wrong-name',
};

export const tlsRules: Rules = [
  {
    id: 'tls.handshake',
    severity: 'fault',
    title: 'No TLS connection can be made',
    why: everybody,
    spec: 'RFC 8446; RFC 8996',
    cure: 'Does this port speak TLS at all, is it 1.2 or newer, and has the server a certificate for this name? Behind a load balancer: is the listener HTTPS?',
    check: (facts) =>
      of(facts, ({ origin, protocol, fault }) =>
        protocol === undefined && fault && !isAway(fault.code)
          ? `${origin}: ${fault.code}: ${fault.message}`
          : undefined,
      ),
  },
  {
    id: 'tls.expired',
    severity: 'fault',
    title: 'The certificate has expired',
    why: everybody,
    spec: 'RFC 5280 §4.1.2.5',
    cure: 'Renew it, and find out why it did not renew itself: a closed port 80 or a changed DNS record stops most ACME clients.',
    check: (facts) =>
      withFault(facts, 'tls.expired', ({ certificate }) => `It was valid until ${date(certificate?.notAfter)}.`),
  },
  {
    id: 'tls.not-yet-valid',
    severity: 'fault',
    title: 'The certificate is not valid yet',
    why: everybody,
    spec: 'RFC 5280 §4.1.2.5',
    cure: 'Wait, or compare the clocks: that of the issuer, that of the server, and that of this computer.',
    check: (facts) =>
      withFault(
        facts,
        'tls.not-yet-valid',
        ({ certificate }) => `It is valid from ${date(certificate?.notBefore)} on.`,
      ),
  },
  {
    id: 'tls.self-signed',
    severity: 'fault',
    title: 'The certificate is signed by itself',
    why: everybody,
    spec: 'RFC 5280 §6.1',
    cure: 'Get one from a public certificate authority (ACME, ACM). For a company’s own network use the company’s authority, and set NODE_EXTRA_CA_CERTS for clients on Node.',
    check: (facts) =>
      withFault(
        facts,
        'tls.self-signed',
        ({ certificate }) => `Subject and issuer are ${list([certificate?.subject ?? ''])}.`,
      ),
  },
  {
    id: 'tls.incomplete-chain',
    severity: 'fault',
    title: 'The server does not send its intermediate certificate',
    why: 'Browsers fetch what is missing; Node, Python and Go do not. It works in the address bar and fails in every MCP client.',
    spec: 'RFC 8446 §4.4.2',
    cure: 'Configure the full chain (nginx: ssl_certificate fullchain.pem; certbot makes both files). If a private authority signed it, its certificate is unknown here: --ca FILE tells the doctor.',
    check: (facts) =>
      withFault(
        facts,
        'tls.incomplete-chain',
        ({ certificate }) =>
          `Only the certificate for ${list([certificate?.subject ?? ''])} was sent, signed by ${list([certificate?.issuer ?? ''])}.`,
      ),
  },
  {
    id: 'tls.untrusted',
    severity: 'fault',
    title: 'Nobody known here vouches for the certificate',
    why: everybody,
    spec: 'RFC 5280 §6.1',
    cure: 'Use a public certificate authority. With a private one: NODE_EXTRA_CA_CERTS for clients on Node, --ca FILE for the doctor; hosted clients (Claude.ai, ChatGPT) cannot be told.',
    check: (facts) =>
      of(facts, ({ origin, protocol, fault, certificate }) =>
        protocol !== undefined && fault && explained[fault.code] === undefined
          ? `${origin}: ${fault.code}; issued by ${list([certificate?.issuer ?? ''])}.`
          : undefined,
      ),
  },
  {
    id: 'tls.wrong-name',
    severity: 'fault',
    title: 'The certificate is for another name',
    why: everybody,
    spec: 'RFC 9525 §6',
    cure: 'Get a certificate that lists this name, or give out a URL with a name that it lists. Behind a CDN: is the name among the alternate domain names?',
    check: (facts) =>
      withFault(
        facts,
        'tls.wrong-name',
        ({ certificate }) => `It is for ${list(certificate?.names.slice(0, 10) ?? [])}.`,
      ),
  },
  {
    id: 'tls.expires-soon',
    severity: 'warning',
    title: 'The certificate expires soon',
    why: 'Whatever renews it should have done so by now. The day it expires every client stops.',
    spec: 'RFC 5280 §4.1.2.5',
    cure: 'Look at the renewal job (certbot renew --dry-run, the events of ACM).',
    check: (facts) =>
      of(facts, ({ origin, fault, certificate, at }) =>
        !fault && certificate && certificate.notAfter - at < soonSeconds(certificate)
          ? `${origin} is valid until ${date(certificate.notAfter)}.`
          : undefined,
      ),
  },
  {
    id: 'tls.old-protocol',
    severity: 'warning',
    title: 'It still speaks TLS 1.0 or 1.1',
    why: 'Nothing fails today, but both are deprecated and audits fail on them.',
    spec: 'RFC 8996; RFC 9325 §3.1.1',
    cure: 'Allow TLS 1.2 and 1.3 only (nginx: ssl_protocols TLSv1.2 TLSv1.3; CloudFront: TLSv1.2_2021 or newer).',
    check: (facts) => of(facts, ({ origin, acceptsOld }) => acceptsOld && `${origin} accepted ${acceptsOld}.`),
  },
];

const day = 86_400;

/** A fortnight; of certificates that live for days only, a sixth of their life. */
function soonSeconds({ notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number }): number {
  return Math.min(14 * day, (notAfter - notBefore) / 6);
}

function of({ tls }: Facts, say: (tls: TlsFacts) => string | undefined): readonly Observation[] {
  return tls.map(say).flatMap((saw) => (saw === undefined || saw === '' ? [] : [{ saw }]));
}

function withFault(facts: Facts, rule: string, say: (tls: TlsFacts) => string): readonly Observation[] {
  return of(facts, (tls) =>
    tls.protocol !== undefined && tls.fault && explained[tls.fault.code] === rule
      ? `${tls.origin}: ${say(tls)}`
      : undefined,
  );
}

/** Not there at all is told elsewhere. */
function isAway(code: string): boolean {
  return ['ECONNREFUSED', 'ETIMEDOUT', 'TIMEOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'].includes(
    code,
  );
}

function date(seconds: number | undefined): string {
  return seconds === undefined || Number.isNaN(seconds)
    ? 'unknown'
    : new Date(seconds * 1000).toISOString().slice(0, 10);
}
