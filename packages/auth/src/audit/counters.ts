/** How often each event happened, by a few labels from closed lists: what a stranger sends can add no series. */
import type { LossReason } from './delivery.ts';
import { describeEvent, type LogEvent } from './events.ts';

export interface EventCount {
  readonly event: string;
  /** `reason`, `grantType` and `status` (as `4xx`), for the events that have them. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface SinkCount {
  readonly sink: string;
  readonly delivered: number;
  readonly lost: Readonly<Record<LossReason, number>>;
}

/** Plain data; every number only grows until the process ends. */
export interface Counters {
  readonly events: readonly EventCount[];
  readonly sinks: readonly SinkCount[];
}

/** A reason counts as the longest of these it begins with: a family, or by itself what a dashboard asks for. */
const reasons = new Set(
  `authorize body budget callback cimd client client_credentials closed code connections consent failed fault fetch grant
  guard http id_jag idp introspect issued_token kms limit message method overflow parameters people person records refresh remembered register resource revoke
  role roles scope session token tool
  back_off closing crashed exited idle processes processes_of_user room session_ended sessions starts too_slow unfit unstartable
  access_denied insufficient_scope invalid_client invalid_client_metadata invalid_grant invalid_redirect_uri
  invalid_request invalid_scope invalid_target invalid_token server_error temporarily_unavailable unauthorized_client
  unsupported_grant_type unsupported_response_type
  authorize.client_unknown authorize.redirect_uri_unregistered callback.expired callback.other_browser
  callback.state_spent callback.state_unknown cimd.document cimd.domain cimd.fetch client.assertion_replayed
  client.assertion_signature client.secret_wrong client.unknown code.expired code.redirect_uri code.verifier
  consent.expired consent.forged consent.other_browser grant.code_replayed grant.contention grant.ended grant.generation
  grant.other_client grant.refresh_token_replayed grant.unknown idp.answered idp.invalid idp.token
  idp.unreachable kms.unavailable people.not_listed records.unavailable register.budget token.audience token.expired token.grant_ended
  token.keys_unavailable token.permission token.role token.scope token.signature`.split(/\s+/),
);

const grantTypes = new Map([
  ...['authorization_code', 'refresh_token', 'client_credentials'].map((name): [string, string] => [name, name]),
  ['urn:ietf:params:oauth:grant-type:jwt-bearer', 'jwt-bearer'],
  ['urn:ietf:params:oauth:grant-type:token-exchange', 'token-exchange'],
]);

const labelOf: Readonly<Record<string, (value: unknown) => string>> = {
  reason: reasonLabel,
  grantType: (value) => (typeof value === 'string' && grantTypes.get(value)) || 'other',
  status: (value) => (Number.isInteger(value) && /^[1-5]\d\d$/.test(String(value)) ? `${String(value)[0]}xx` : 'other'),
};

export function reasonLabel(reason: unknown): string {
  if (typeof reason !== 'string' || reason.length > 100) return 'other';
  let label = reason;
  while (!reasons.has(label)) {
    const dot = label.lastIndexOf('.');
    if (dot < 0) return 'other';
    label = label.slice(0, dot);
  }
  return label;
}

export function counters() {
  const counts = new Map<string, { readonly event: string; readonly labels: Record<string, string>; value: number }>();
  return {
    count(logged: LogEvent): void {
      const description = describeEvent(logged.event);
      const event = description ? logged.event : 'other';
      const labels: Record<string, string> = {};
      let key: string = event;
      for (const name in labelOf) {
        const value = description && logged[name];
        if (value === undefined || !description || !isField(description, name)) continue;
        labels[name] = labelOf[name]?.(value) ?? 'other';
        key += ` ${name}=${labels[name]}`;
      }
      const found = counts.get(key);
      if (found) found.value++;
      else counts.set(key, { event, labels, value: 1 });
    },
    snapshot: (): readonly EventCount[] =>
      [...counts.values()].map(({ event, labels, value }) => ({ event, labels: { ...labels }, value })),
  };
}

function isField({ fields, sometimes }: NonNullable<ReturnType<typeof describeEvent>>, name: string): boolean {
  return Object.hasOwn(fields, name) || (sometimes !== undefined && Object.hasOwn(sometimes, name));
}
