/** Faults found in src/admission.ts and config/schema.ts; each test passes once its fault is mended. */
import { expect, it } from 'vitest';
import { admission } from '../src/admission.ts';
import { checkConfig } from '../src/serve.ts';
import { gatewayConfig } from './harness.ts';

// admission.ts:27: `auth.example:443` is the same host as `auth.example` at an https issuer (RFC 9110 §4.2.2); proxies
// and some clients write the port out, and are told 403.
it('the default port may be written out', () => {
  const site = admission({
    issuer: 'https://auth.example',
    resources: ['https://auth.example/mcp'],
    allowedOrigins: [],
    allowedHosts: [],
  });
  expect(site.host('auth.example:443')).toBe(true);
  expect(site.host('auth.example:80')).toBe(false);
});

// schema.ts, allowedOrigins: what passes the pattern and equals no Origin a browser ever sends does nothing, silently.
it.each(['https://App.example', 'https://app.example:443', 'http://app.example:80', 'https://app.example?x'])(
  'the allowed origin %s is refused at start, or works',
  (origin) => {
    const config = gatewayConfig(8080, [{ path: '/mcp', target: 'http://127.0.0.1:1/' }]);
    let accepted: readonly string[];
    try {
      accepted = checkConfig('test', { ...config, allowedOrigins: [origin] }).allowedOrigins;
    } catch (error) {
      expect(String(error)).toContain('allowedOrigins[0]');
      return;
    }
    const { host } = new URL(origin);
    const site = admission({ issuer: config.issuer, resources: [], allowedHosts: [], allowedOrigins: accepted });
    expect(site.origin(`${new URL(origin).protocol}//${host}`)).toBe(true);
  },
);
