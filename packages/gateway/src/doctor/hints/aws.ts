/** Hints for CloudFront, Lambda Function URLs, API Gateway and load balancers (reference: AWS deployment, sections 0 and 1). */
import { type Hint, innerName, type Place, streamEnds, unrouted } from './hint.ts';

/**
 * Runs at CloudFront (viewer request, runtime 2.0) for the MCP path alone. It answers before the function does, whose
 * header would be renamed; for a 401 of the origin's no function of CloudFront's is called any more.
 */
export function challengeFunction({ metadataUrl }: Place): string {
  return [
    'function handler(event) {',
    'var request = event.request;',
    "if (request.method === 'OPTIONS' || request.headers.authorization) return request;",
    "return { statusCode: 401, statusDescription: 'Unauthorized', headers: {",
    `'www-authenticate': { value: 'Bearer resource_metadata="${metadataUrl}"' },`,
    "'access-control-allow-origin': { value: '*' },",
    "'access-control-expose-headers': { value: 'WWW-Authenticate' } } };",
    '}',
  ].join(' ');
}

const lostChallenge: Hint['for'] = ['challenge.renamed', 'challenge.missing'];

export const cloudFrontHints: readonly Hint[] = [
  {
    for: lostChallenge,
    lines: (place) => [
      `Create a function, and associate it (viewer request) with the behaviours for ${place.path} only, never with /.well-known/*:`,
      challengeFunction(place),
    ],
  },
  {
    for: ['challenge.forbidden', 'session.token-refused'],
    lines: () => [
      'Origin access control overwrites Authorization, and wants a hash of the body (x-amz-content-sha256) that no MCP client sends. Take it off this origin:',
      'OriginAccessControlId: ""',
      'OriginCustomHeaders: [{ HeaderName: x-origin-secret, HeaderValue: "…" }]',
      'In the function: AuthType NONE, and refuse what comes without that header.',
    ],
  },
  {
    for: [...unrouted, 'challenge.login-page'],
    lines: ({ path }) => [
      `The pattern ${path}/* does not match ${path}. Every one of these needs a behaviour that leads to the server:`,
      `PathPattern: ${path}   /.well-known/*   /authorize   /token   /register   /revoke   /callback`,
      'AllowedMethods: [GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE]',
      'CachePolicy: Managed-CachingDisabled',
      'OriginRequestPolicy: Managed-AllViewerExceptHostHeader',
    ],
  },
  {
    for: ['browser.preflight', 'browser.headers', 'browser.challenge-hidden', 'browser.token'],
    lines: () => [
      'Let OPTIONS through to the server, and let nothing rewrite its CORS headers:',
      'AllowedMethods: [GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE]',
      'ResponseHeadersPolicyId: none, or one with OriginOverride: false',
    ],
  },
  {
    for: streamEnds,
    lines: () => [
      'The origin’s read timeout ends a stream in which nothing comes; it is 30 s, and goes to 120 s without a ticket:',
      'OriginReadTimeout: 120',
      'ResponseCompletionTimeout: unset, or as long as the longest stream (at most 3600)',
      'keepAliveSeconds: 20   (Gatehouse; elsewhere a comment line every 20 s)',
    ],
  },
  {
    for: ['session.stream-buffered'],
    lines: () => ['Compression waits for more to compress; switch it off for the MCP path:', 'Compress: false'],
  },
  {
    for: ['address.plain-http'],
    lines: () => ['Do not answer plain http for the MCP path:', 'ViewerProtocolPolicy: https-only'],
  },
  {
    for: ['tls.wrong-name'],
    lines: ({ host }) => [
      'The name must be an alternate domain name, and its certificate in us-east-1:',
      `Aliases: [${host.replace(/:\d+$/, '')}]`,
      'ViewerCertificate: { AcmCertificateArn: arn:aws:acm:us-east-1:…, SslSupportMethod: sni-only }',
    ],
  },
  {
    for: ['tls.old-protocol'],
    lines: () => ['Set the security policy of the distribution:', 'MinimumProtocolVersion: TLSv1.2_2021'],
  },
];

export const functionUrlHints: readonly Hint[] = [
  {
    for: lostChallenge,
    lines: (place) => [
      'A Function URL renames the header always. An ALB with the function as its target does not; or put CloudFront in front, with this function (viewer request) on the MCP path:',
      challengeFunction(place),
      'And repeat error and resource_metadata in the JSON body of every 401 and 403 of the function itself.',
    ],
  },
  {
    for: ['challenge.forbidden'],
    lines: () => [
      'AWS_IAM wants signed requests, which no MCP client sends. Since October 2025 a public URL needs both permissions:',
      'AuthType: NONE',
      'AWS::Lambda::Permission: { Action: lambda:InvokeFunctionUrl, Principal: "*", FunctionUrlAuthType: NONE }',
      'AWS::Lambda::Permission: { Action: lambda:InvokeFunction, Principal: "*", InvokedViaFunctionUrl: true }',
    ],
  },
  {
    for: ['session.stream-buffered', 'session.stream-cut'],
    lines: () => [
      'A buffered function answers once, at its end; stream, and give it the time:',
      'InvokeMode: RESPONSE_STREAM',
      'Timeout: 900',
    ],
  },
  {
    for: ['speed.token', 'speed.cold-start', 'speed.discovery'],
    lines: () => [
      'Keep an instance warm, by a schedule or (from about 3 USD a month) for good:',
      'AWS::Scheduler::Schedule: { ScheduleExpression: rate(5 minutes), FlexibleTimeWindow: { Mode: "OFF" } }',
      'ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 1 }',
    ],
  },
];

export const apiGatewayHints: readonly Hint[] = [
  {
    for: [...lostChallenge, 'challenge.wrong-token-status', 'challenge.forbidden'],
    lines: (place) => [
      'REST API: an integration’s header is renamed, a gateway response’s is not. One for each of UNAUTHORIZED, ACCESS_DENIED and MISSING_AUTHENTICATION_TOKEN:',
      'Type: AWS::ApiGateway::GatewayResponse',
      'ResponseType: UNAUTHORIZED',
      'StatusCode: "401"',
      `ResponseParameters: { gatewayresponse.header.WWW-Authenticate: "'Bearer resource_metadata=\\"${place.metadataUrl}\\"'" }`,
      'HTTP API: it has no gateway responses. Put CloudFront in front, with this function (viewer request) on the MCP path:',
      challengeFunction(place),
    ],
  },
  {
    for: ['session.stream-buffered', 'session.stream-cut'],
    lines: () => [
      'An HTTP API buffers, and ends after 30 s. A REST API of the type REGIONAL can stream (EDGE ends a quiet stream after 30 s):',
      'Integration: { ResponseTransferMode: STREAM, TimeoutInMillis: 900000 }',
      'EndpointConfiguration: { Types: [REGIONAL] }',
    ],
  },
  {
    for: [...unrouted, 'resource.mismatch'],
    lines: ({ path }) => [
      'The stage is part of the path until a custom domain takes it away, and clients look at the root of the host:',
      `Routes: ANY ${path}   ANY ${path}/{proxy+}   ANY /.well-known/{proxy+}   ANY /authorize   ANY /token   ANY /register`,
      'Custom domain with an empty base path: AWS::ApiGateway::BasePathMapping { Stage: … } (HTTP API: the stage $default)',
    ],
  },
];

export const albHints: readonly Hint[] = [
  {
    for: streamEnds,
    lines: () => [
      'The idle timeout ends a stream in which nothing comes; it is 60 s:',
      'aws elbv2 modify-load-balancer-attributes --load-balancer-arn … --attributes Key=idle_timeout.timeout_seconds,Value=3600',
    ],
  },
  {
    for: innerName,
    lines: ({ host }) => [
      'TLS ends at the load balancer; have the server trust what that says, or tell it its URL:',
      'uvicorn --proxy-headers --forwarded-allow-ips="*"   (where only the load balancer reaches it)',
      `Express: app.set("trust proxy", 1)   Gatehouse: issuer: https://${host}`,
    ],
  },
  {
    for: ['address.plain-http'],
    lines: ({ host, path }) => [
      `A redirect from port 80 is a 301, which makes GET of POST. Give out https://${host}${path}, and close port 80 or let it refuse:`,
      'DefaultActions: [{ Type: fixed-response, FixedResponseConfig: { StatusCode: "403" } }]',
    ],
  },
  {
    for: ['challenge.server-error'],
    lines: () => [
      '502: the target closed the connection; 503: no target is healthy; 504: it did not answer in time. Look at the targets:',
      'aws elbv2 describe-target-health --target-group-arn …',
      'HealthCheckPath: a path that answers 200 without a token (Gatehouse: /healthz), or Matcher: { HttpCode: "200,401" }',
    ],
  },
  {
    for: ['tls.old-protocol'],
    lines: () => ['Set the listener’s policy:', 'SslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06'],
  },
];
