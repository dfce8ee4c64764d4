/** Hints for the reverse proxies that people run themselves: nginx, Caddy, Apache, Envoy. */
import { type Hint, innerName, streamEnds, unrouted } from './hint.ts';

export const nginxHints: readonly Hint[] = [
  {
    for: ['session.stream-buffered', 'challenge.cut'],
    lines: ({ path }) => [
      `In location ${path}:`,
      'proxy_http_version 1.1;',
      'proxy_set_header Connection "";',
      'proxy_buffering off;',
      'gzip off;',
    ],
  },
  {
    for: streamEnds,
    lines: ({ path }) => [
      `In location ${path}; nginx waits 60 s for the next byte:`,
      'proxy_read_timeout 3600s;',
      'proxy_send_timeout 3600s;',
    ],
  },
  {
    for: ['session.token-refused', 'challenge.wrong-token-error'],
    lines: ({ path }) => [
      `Is the token passed on at all? In location ${path}, with no auth_basic beside it:`,
      'proxy_pass_request_headers on;',
      'proxy_set_header Authorization $http_authorization;',
    ],
  },
  {
    for: ['challenge.missing', 'challenge.login-page', 'token.not-json'],
    lines: ({ path }) => [
      `Let the server’s own refusals through; in location ${path}, and in that of /token:`,
      'proxy_intercept_errors off;',
      'proxy_pass_header WWW-Authenticate;',
      'Take out: proxy_hide_header WWW-Authenticate; error_page 401 …;',
    ],
  },
  {
    for: ['challenge.not-bearer', 'challenge.several', 'browser.preflight-guarded'],
    lines: ({ path }) => [
      `A password of nginx’s stands before the server’s own check; in location ${path}:`,
      'auth_basic off;',
      'auth_request off;',
    ],
  },
  {
    for: [...unrouted, 'resource.guarded'],
    lines: ({ path }) => [
      'A rule against hidden files (location ~ /\\.) or for certificates often stands before these paths. ^~ wins over it:',
      `location = ${path} { proxy_pass http://127.0.0.1:8000; }`,
      'location ^~ /.well-known/oauth- { proxy_pass http://127.0.0.1:8000; }',
      'location = /.well-known/openid-configuration { proxy_pass http://127.0.0.1:8000; }',
    ],
  },
  {
    for: ['address.redirect-post', 'address.redirect'],
    lines: ({ path }) => [
      'location /x/ with a proxy_pass redirects /x there, with 301. An exact location does not:',
      `location = ${path} { proxy_pass http://127.0.0.1:8000; }`,
    ],
  },
  {
    for: ['address.plain-http', 'address.redirect-loop'],
    lines: ({ host, path }) => [
      `return 301 makes GET of POST. Give out https://${host}${path}, and where the redirect has to stay:`,
      'return 308 https://$host$request_uri;',
    ],
  },
  {
    for: innerName,
    lines: () => [
      'Tell the server who was asked, and have it trust that (uvicorn: --proxy-headers), or configure its public URL:',
      'proxy_set_header Host $host;',
      'proxy_set_header X-Forwarded-Host $host;',
      'proxy_set_header X-Forwarded-Proto $scheme;',
    ],
  },
  {
    for: ['challenge.server-error'],
    lines: () => [
      '502: nothing listens where proxy_pass looks; 504: it did not answer in time. Its log says which:',
      'error_log /var/log/nginx/error.log warn;',
    ],
  },
  {
    for: ['tls.incomplete-chain'],
    lines: () => [
      'The file must have the intermediate certificates, too:',
      'ssl_certificate /etc/letsencrypt/live/…/fullchain.pem;',
    ],
  },
  { for: ['tls.old-protocol'], lines: () => ['In http or server:', 'ssl_protocols TLSv1.2 TLSv1.3;'] },
];

export const caddyHints: readonly Hint[] = [
  {
    for: ['session.stream-buffered'],
    lines: ({ path }) => [
      'encode holds back what it compresses, heads included; leave the MCP path out of it:',
      `@others not path ${path}`,
      'encode @others zstd gzip',
      `reverse_proxy ${path} 127.0.0.1:8000 { flush_interval -1 }`,
    ],
  },
  {
    for: streamEnds,
    lines: () => [
      'Caddy itself does not end streams unless it is told to; take these out, or raise them:',
      'servers { timeouts { write 0 idle 1h } }',
      'reverse_proxy … { transport http { read_timeout 0 } }',
    ],
  },
  {
    for: unrouted,
    lines: ({ path }) => [
      'handle takes the first that matches; before the one with file_server or try_files:',
      `@mcp path ${path} /.well-known/oauth-* /.well-known/openid-configuration /authorize /token /register`,
      'handle @mcp { reverse_proxy 127.0.0.1:8000 }',
    ],
  },
  {
    for: ['challenge.not-bearer', 'challenge.several', 'browser.preflight-guarded'],
    lines: ({ path }) => [
      'Take the MCP path out of Caddy’s own password:',
      `@others not path ${path} /.well-known/*`,
      'basic_auth @others { … }',
    ],
  },
  {
    for: innerName,
    lines: () => [
      'Where something with TLS stands before Caddy, have it believe that one:',
      'servers { trusted_proxies static private_ranges }',
    ],
  },
];

export const apacheHints: readonly Hint[] = [
  {
    for: ['session.token-refused', 'challenge.wrong-token-error'],
    lines: () => ['CGI and FastCGI do not see Authorization unless:', 'CGIPassAuth On'],
  },
  {
    for: ['session.stream-buffered', ...streamEnds],
    lines: ({ path }) => [
      'Flush each packet, wait longer, and do not compress:',
      `ProxyPass ${path} http://127.0.0.1:8000${path} flushpackets=on timeout=3600`,
      `SetEnvIf Request_URI "^${path}" no-gzip`,
    ],
  },
];

export const envoyHints: readonly Hint[] = [
  {
    for: streamEnds,
    lines: () => [
      'A route ends after 15 s, a quiet stream after 5 minutes:',
      'route: { timeout: 0s, idle_timeout: 3600s }',
      'http_connection_manager: { stream_idle_timeout: 3600s }',
    ],
  },
];
