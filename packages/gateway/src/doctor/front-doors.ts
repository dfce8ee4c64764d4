/** Which programs and services stand before the MCP server, told by the headers they add. Pure; hints go by it. */
import { type Answer, type Exchange, type Facts, headerOf } from './facts.ts';

export type FrontDoor =
  | 'cloudfront'
  | 'api-gateway'
  | 'function-url'
  | 'alb'
  | 'cloudflare'
  | 'nginx'
  | 'caddy'
  | 'apache'
  | 'envoy'
  | 'google'
  | 'azure'
  | 'vercel'
  | 'netlify'
  | 'fly'
  | 'render'
  | 'ngrok';

type Test = (answer: Answer, url: URL) => boolean;

const has =
  (name: string): Test =>
  (answer) =>
    headerOf(answer, name) !== undefined;
const says =
  (name: string, pattern: RegExp): Test =>
  (answer) =>
    pattern.test(headerOf(answer, name) ?? '');
const at =
  (pattern: RegExp): Test =>
  (_, url) =>
    pattern.test(url.hostname);

/** From the outermost inwards, as far as that is known. */
const signs: ReadonlyArray<readonly [FrontDoor, readonly Test[]]> = [
  ['cloudflare', [has('cf-ray'), says('server', /^cloudflare/i)]],
  ['cloudfront', [has('x-amz-cf-id'), says('via', /cloudfront/i)]],
  ['vercel', [has('x-vercel-id')]],
  ['netlify', [has('x-nf-request-id')]],
  ['fly', [has('fly-request-id')]],
  ['render', [has('x-render-origin-server'), has('rndr-id')]],
  ['ngrok', [has('ngrok-error-code'), at(/\.ngrok(-free)?\.(app|dev|io)$/)]],
  ['azure', [has('x-azure-ref'), has('x-ms-middleware-request-id'), at(/\.azurewebsites\.net$/)]],
  ['google', [says('via', /google/i), has('x-cloud-trace-context'), says('server', /^google frontend/i)]],
  // An HTTP API says apigw-requestid, a REST API x-amz-apigw-id.
  ['api-gateway', [has('apigw-requestid'), has('x-amz-apigw-id'), at(/\.execute-api\./)]],
  ['alb', [says('server', /^awselb/i), at(/\.elb\.amazonaws\.com$/)]],
  ['envoy', [says('server', /envoy/i), has('x-envoy-upstream-service-time')]],
  ['nginx', [says('server', /nginx|openresty/i)]],
  ['caddy', [says('server', /caddy/i), says('via', /caddy/i)]],
  ['apache', [says('server', /apache/i)]],
];

/** Those before the MCP endpoint. A renamed header without a trace of API Gateway is a Function URL's. */
export function frontDoorsOf(facts: Facts): readonly FrontDoor[] {
  const { endpoint } = facts;
  if (!endpoint) return [];
  const seen = [...endpoint.initialize.hops, endpoint.again, endpoint.get, endpoint.preflight].filter(answered);
  const doors = signs
    .filter(([, tests]) => seen.some(({ url, answer }) => tests.some((test) => test(answer, new URL(url)))))
    .map(([door]) => door);
  const functionUrl = seen.some(
    ({ url, answer }) =>
      at(/\.lambda-url\./)(answer, new URL(url)) ||
      has('x-amzn-remapped-www-authenticate')(answer, new URL(url)) ||
      // A Lambda's request id with no gateway's beside it.
      (has('x-amzn-requestid')(answer, new URL(url)) && has('x-amzn-trace-id')(answer, new URL(url))),
  );
  return functionUrl && !doors.includes('api-gateway') ? [...doors, 'function-url'] : doors;
}

function answered(exchange: Exchange): exchange is Exchange & { readonly answer: Answer } {
  return exchange.answer !== undefined;
}
