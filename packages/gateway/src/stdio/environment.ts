/** What a stdio server finds in its environment (SEC-17): what was configured, what any program needs, and never the gateway's own secrets. */
import type { CallerIdentity } from '@mcp-gatehouse/auth/identity-headers';

/** Without these a program does not find its files; none of them is a secret. */
const needed =
  process.platform === 'win32'
    ? [
        'APPDATA',
        'COMSPEC',
        'HOMEDRIVE',
        'HOMEPATH',
        'LOCALAPPDATA',
        'PATH',
        'PATHEXT',
        'PROGRAMDATA',
        'PROGRAMFILES',
        'PROGRAMFILES(X86)',
        'PROCESSOR_ARCHITECTURE',
        'SYSTEMDRIVE',
        'SYSTEMROOT',
        'TEMP',
        'TMP',
        'USERNAME',
        'USERPROFILE',
        'WINDIR',
      ]
    : ['HOME', 'LANG', 'LC_ALL', 'LOGNAME', 'PATH', 'SHELL', 'TMPDIR', 'TZ', 'USER'];

/** Who the process serves: no names of ours, because they would not say who asks for one request. */
export type ProcessOwner = Pick<CallerIdentity, 'subject' | 'identityIssuer' | 'identitySubject'>;

/**
 * `owner` where the process serves one user alone. The client is not in it: several of a user's clients may share a process.
 * What we say of the owner wins over what is configured.
 */
export function childEnvironment(
  configured: Readonly<Record<string, string>>,
  owner?: ProcessOwner,
  own: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of needed) {
    const value = own[name];
    // A function that bash exported, not a value.
    if (value !== undefined && !value.startsWith('()')) environment[name] = value;
  }
  const said = {
    GATEHOUSE_SUBJECT: owner?.subject,
    GATEHOUSE_IDENTITY_ISSUER: owner?.identityIssuer,
    GATEHOUSE_IDENTITY_SUBJECT: owner?.identitySubject,
  };
  for (const [name, value] of Object.entries(configured)) environment[name] = value;
  for (const [name, value] of Object.entries(said)) {
    delete environment[name];
    // No environment can hold a null; a part of the name would be another's.
    if (value !== undefined && !value.includes('\0')) environment[name] = value;
  }
  return environment;
}
