/** What the command line says to people: the greeting at start and one line per event. */
import type { PoolEvent } from './events.ts';
import type { LocalCognito } from './server.ts';

/** `readyMade`: the default pool, whose password and secrets are printed because everyone knows them. */
export function greeting({ origin, issuer, config }: LocalCognito, readyMade: boolean): string {
  const lines = [
    'local-cognito is ready. For development only.',
    '',
    `  origin   ${origin}`,
    `  issuer   ${issuer}`,
    '',
  ];
  for (const client of config.clients) {
    const kind =
      client.clientSecret === undefined ? 'public' : readyMade ? `secret ${client.clientSecret}` : 'has a secret';
    lines.push(`  client   ${client.clientId} (${client.allowedOAuthFlows.join(', ')}; ${kind})`);
    for (const url of client.callbackUrls) lines.push(`           returns to ${url}`);
  }
  for (const user of config.users.slice(0, 10)) {
    const password = readyMade ? `, password ${user.password}` : '';
    lines.push(`  user     ${user.username ?? user.email} <${user.email}>${password}`);
  }
  const client = config.clients.find(({ allowedOAuthFlows }) => allowedOAuthFlows.includes('code'));
  if (client) {
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: client.clientId,
      redirect_uri: client.callbackUrls[0] ?? '',
      scope: client.allowedScopes.slice(0, 3).join(' '),
      state: 'example',
    });
    lines.push('', 'Try it in a browser:', `  ${origin}/oauth2/authorize?${query}`);
  }
  const machine = config.clients.find(({ allowedOAuthFlows }) => allowedOAuthFlows.includes('client_credentials'));
  if (machine && readyMade) {
    lines.push('', 'Or as a machine:');
    lines.push(
      `  curl -u ${machine.clientId}:${machine.clientSecret} -d grant_type=client_credentials ${origin}/oauth2/token`,
    );
  }
  return `${lines.join('\n')}\n\n`;
}

export function logLine(event: PoolEvent): string {
  const time = new Date().toTimeString().slice(0, 8);
  if (event.event === 'confirmation_code.created') {
    const { code, purpose, username, email } = event;
    return `${time}  confirmation code  >>> ${code} <<<  for ${printable(username)} <${printable(email)}> (${purpose})`;
  }
  const { event: name, ...details } = event;
  const pairs = Object.entries(details).map(([key, value]) => `${key}=${printable(String(value))}`);
  return `${time}  ${name}  ${pairs.join(' ')}`;
}

/** A log line stays one line, whatever a request put into it. */
function printable(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : JSON.stringify(text);
}
