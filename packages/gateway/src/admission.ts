/** Who may speak to the gateway at all: Host and Origin, against DNS rebinding and other people's pages (RS-15, SEC-11). */
import { isLoopbackHost } from './loopback.ts';

export interface AdmissionOptions {
  readonly issuer: string;
  /** Of the resources: those on other hosts than the issuer are served here, too. */
  readonly resources?: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
}

export interface Admission {
  /** Whether the Host header names this gateway. */
  host(host: string | undefined): boolean;
  /** Whether a browser page of this origin may call the MCP endpoints; no Origin at all is no browser. */
  origin(origin: string | undefined): boolean;
}

export function admission({ issuer, resources = [], allowedOrigins, allowedHosts }: AdmissionOptions): Admission {
  const own = new URL(issuer);
  const urls = [own, ...resources.map((one) => new URL(one))];
  const hosts = new Set([...urls.flatMap(hostSpellings), ...allowedHosts.map((host) => host.toLowerCase())]);
  const origins = new Set([...urls.map(({ origin }) => origin), ...allowedOrigins]);
  // On a laptop every name of the loopback interface is this computer, and so is every page it serves.
  const loopback = isLoopbackHost(own.hostname);
  return {
    host(host) {
      if (host === undefined) return false;
      return hosts.has(host.toLowerCase()) || (loopback && isLoopbackUrl(`http://${host}`));
    },
    origin(origin) {
      return origin === undefined || origins.has(origin) || (loopback && isLoopbackUrl(origin));
    },
  };
}

/** A default port may be written out (RFC 9110 §4.2). */
export function hostSpellings({ host, hostname, protocol, port }: URL): readonly string[] {
  return port === '' ? [host, `${hostname}:${protocol === 'https:' ? 443 : 80}`] : [host];
}

function isLoopbackUrl(text: string): boolean {
  if (!/^https?:\/\/[A-Za-z0-9.[\]:-]+$/.test(text) || !URL.canParse(text)) return false;
  return isLoopbackHost(new URL(text).hostname);
}
