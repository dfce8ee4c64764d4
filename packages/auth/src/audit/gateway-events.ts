/** What the process around the library says: the gateway, and the local user pool of `gatehouse serve --local`. */
import type { EventDescription } from './events.ts';
import {
  cause,
  client,
  clientId,
  grant,
  grantType,
  path,
  person,
  reason,
  resource,
  scope,
  status,
  sub,
  username,
} from './field-words.ts';

const toolWord = 'Name of the tool, where tools have rules or calls have limits: at most 100 characters, printable.';
const rpcMethodWord = 'The MCP method, where no tool was named and it was denied.';

const targetWord = 'The target: its address without a query, or its command.';
const pid = 'Process id.';

export const gatewayEvents = {
  'keys.changed': {
    says: 'An operator changed the signing keys with `gatehouse keys`.',
    level: 'notice',
    audit: 'success',
    fields: { action: '`rotated`, `pruned` or `revoked`.', kid: 'The key: the new one, or the one that is gone.' },
  },
  'gateway.listening': {
    says: 'The gateway accepts connections.',
    level: 'info',
    fields: { host: 'Address it listens on.', port: 'Port it listens on.', issuer: 'The authorization server’s URL.' },
  },
  'gateway.stopping': { says: 'The gateway takes nothing new and lets go of what it has.', level: 'info', fields: {} },
  'gateway.stopped': { says: 'Everything is let go of: the last line.', level: 'info', fields: {} },
  'gateway.metrics': {
    says: 'Figures for Prometheus are served at /metrics.',
    level: 'info',
    fields: { port: 'Port it listens on.' },
  },
  'gateway.keys_unavailable': {
    says: 'The gateway started although its signing keys cannot be read yet.',
    level: 'warning',
    fields: { cause },
  },
  'gateway.ready': {
    says: 'Standard output of `gatehouse serve --json`, once everything runs.',
    level: 'info',
    fields: { issuer: 'The gateway’s URL.', port: 'Port it listens on.', servers: 'The MCP servers with their URLs.' },
    sometimes: { demoUser: 'With --local: who can sign in.' },
  },
  'http.request': {
    says: 'One request, when it was answered.',
    level: 'info',
    fields: {
      requestId: 'As in `x-request-id`.',
      method: 'HTTP method.',
      path,
      ms: 'Milliseconds until the answer had ended.',
      outcome: 'What became of it.',
    },
    sometimes: {
      status: 'Missing where the client left before it was answered.',
      subject: 'Whose access token it was: the whole subject, as targets see it.',
      tool: toolWord,
      rpcMethod: rpcMethodWord,
      traceId: 'Where OpenTelemetry is on: the trace it is part of.',
      reason: 'Why a message was refused or denied.',
      cause: 'What went wrong with the target. Log only.',
    },
  },
  'tool.denied': {
    says: 'A good token was denied a tool, or a method that may run any tool.',
    level: 'notice',
    audit: 'refused',
    // It takes a token; but a program in a loop has one.
    open: true,
    fields: { resource, person, client, reason },
    sometimes: { grant, tool: toolWord, rpcMethod: rpcMethodWord },
  },
  'call.limited': {
    says: 'A caller had used up what a rate limit gives.',
    level: 'notice',
    audit: 'refused',
    open: true,
    fields: {
      resource,
      person,
      client,
      reason,
      rule: 'Which of the resource’s rate limits, from 1.',
      retryAfterSeconds: 'When there is room again.',
    },
    sometimes: { grant, tool: toolWord, rpcMethod: 'The MCP method, where no tool was named.' },
  },
  'target.away': {
    says: 'A target does not answer its health check, or its command does not run.',
    level: 'warning',
    fields: { target: targetWord, cause },
  },
  'target.back': { says: 'A target answers its health check again.', level: 'info', fields: { target: targetWord } },
  'stdio.started': {
    says: 'A process of a stdio target runs.',
    level: 'info',
    fields: { target: targetWord, pid },
    sometimes: { person },
  },
  'stdio.ended': {
    says: 'A process of a stdio target is gone, or could not be started.',
    level: 'info',
    fields: { target: targetWord, reason, seconds: 'How long it ran.' },
    sometimes: { pid, code: 'Its exit code.', signal: 'What ended it.', cause },
  },
  'stdio.stderr': {
    says: 'A process of a stdio target wrote to standard error.',
    level: 'info',
    fields: { target: targetWord, pid, text: 'What it wrote, cut and without what a terminal acts on. Log only.' },
    sometimes: { leftOut: 'Lines before it that were too many.' },
  },
  'stdio.unreadable': {
    says: 'A process of a stdio target wrote what is no message.',
    level: 'warning',
    fields: {
      target: targetWord,
      pid,
      reason,
      bytes: 'How long the line was.',
      text: 'Its beginning, without what a terminal acts on. Log only.',
    },
    sometimes: { leftOut: 'Such lines before it that were too many.' },
  },
  'stdio.refused': {
    says: 'A request to a stdio target found no process to go to.',
    level: 'warning',
    fields: { target: targetWord, person, reason },
  },
  'telemetry.failed': {
    says: 'OpenTelemetry could not send; said once a minute at most.',
    level: 'warning',
    fields: { cause },
  },
  'authorizer.refused': {
    says: 'The Lambda authorizer refused a request with a token.',
    level: 'notice',
    audit: 'refused',
    open: true,
    fields: { resource, status, reason },
    sometimes: { cause },
  },
  'authorizer.denied': {
    says: 'The Lambda authorizer denied a good token what it may not do.',
    level: 'notice',
    audit: 'refused',
    fields: { resource, subject: 'Whose access token it was.', reason },
  },
  'authorizer.keys_unavailable': {
    says: 'The Lambda authorizer could not fetch the keys of an issuer.',
    level: 'warning',
    fields: { issuer: 'Whose keys.', cause },
  },
  // What the local user pool of `gatehouse serve --local` says: somebody else's system, so none of it is audit.
  'sign_in.confirmation_code.created': {
    says: 'Local user pool: a code that a real one would mail.',
    level: 'info',
    fields: {
      purpose: 'What the code is for.',
      username,
      email: 'Where a real pool would send it.',
      code: 'The code itself: the log is the mailbox of the local pool.',
    },
  },
  'sign_in.user.signed_up': { says: 'Local user pool: a user signed up.', level: 'info', fields: { username, sub } },
  'sign_in.user.confirmed': {
    says: 'Local user pool: a user confirmed their address.',
    level: 'info',
    fields: { username, sub },
  },
  'sign_in.user.password_changed': {
    says: 'Local user pool: a user chose a new password.',
    level: 'info',
    fields: { username, sub },
  },
  'sign_in.user.signed_in': { says: 'Local user pool: a user signed in.', level: 'info', fields: { clientId, sub } },
  'sign_in.user.signed_out': { says: 'Local user pool: a user signed out.', level: 'info', fields: { clientId, sub } },
  'sign_in.user.sign_in_refused': {
    says: 'Local user pool: name or password were wrong.',
    level: 'notice',
    fields: { clientId, reason },
  },
  'sign_in.code.issued': {
    says: 'Local user pool: a client got a code.',
    level: 'info',
    fields: { clientId, sub, scope },
    sometimes: { resource },
  },
  'sign_in.token.issued': {
    says: 'Local user pool: a client got tokens.',
    level: 'info',
    fields: { grantType, clientId, sub, scope },
    sometimes: { resource },
  },
  'sign_in.token.revoked': {
    says: 'Local user pool: a client revoked a token.',
    level: 'info',
    fields: { clientId },
  },
  'sign_in.request.refused': {
    says: 'Local user pool: a request was refused.',
    level: 'notice',
    fields: { method: 'HTTP method.', path, status, error: 'Error code.' },
    sometimes: { reason },
  },
  'sign_in.fault': {
    says: 'Local user pool: a request failed.',
    level: 'fault',
    fields: { method: 'HTTP method.', path, message: 'The fault in words.' },
  },
} as const satisfies Readonly<Record<string, EventDescription>>;
