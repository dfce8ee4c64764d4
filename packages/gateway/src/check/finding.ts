/** One thing that `gatehouse check` looked at, and the looking: side by side, each within its time, none lost. */

export interface Finding {
  /** What was looked at, such as `database`. */
  readonly check: string;
  /** `warning`: it works, and somebody should know. `fault`: it will not work. */
  readonly outcome: 'ok' | 'warning' | 'fault';
  /** What was seen, in a sentence without its full stop. */
  readonly says: string;
  /** What to do about it. */
  readonly cure?: string;
}

export interface Check {
  readonly name: string;
  /** Rejects with what could not be found out; `signal` ends what takes too long. */
  run(signal: AbortSignal): Promise<readonly Finding[]>;
}

export interface RunOptions {
  /** Each check's time. */
  readonly seconds: number;
  /** Told whenever a check is done, with what is still under way. */
  readonly onProgress?: (waiting: readonly string[]) => void;
}

/** In the order of the checks, whichever was done first. */
export async function runChecks(checks: readonly Check[], options: RunOptions): Promise<readonly Finding[]> {
  const { seconds, onProgress = () => {} } = options;
  const waiting = new Set(checks);
  const tell = () => onProgress([...waiting].map(({ name }) => name));
  tell();
  const found = await Promise.all(
    checks.map(async (check) => {
      const findings = await within(check, seconds);
      waiting.delete(check);
      tell();
      return findings;
    }),
  );
  return found.flat();
}

/** A check that ignores its signal ends all the same. */
async function within({ name, run }: Check, seconds: number): Promise<readonly Finding[]> {
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const outOfTime = new Promise<readonly Finding[]>((resolve) => {
    const says = `no answer within ${seconds} ${seconds === 1 ? 'second' : 'seconds'}`;
    timer = setTimeout(() => {
      late.abort(new Error(says));
      resolve([
        {
          check: name,
          outcome: 'fault',
          says,
          cure: 'see whether it is reachable from this computer, and whether something between drops packets',
        },
      ]);
    }, seconds * 1000);
  });
  const work = run(late.signal).catch((error: unknown): readonly Finding[] => [
    { check: name, outcome: 'fault', ...whyNot(error) },
  ]);
  return Promise.race([work, outOfTime]).finally(() => clearTimeout(timer));
}

/** What an error of the network, of TLS or of a file means, and what to do. */
export function whyNot(error: unknown): Pick<Finding, 'says' | 'cure'> {
  const cause = rootOf(error);
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const words = wordsOf.find(([pattern]) => pattern.test(code));
  if (words) return { says: `${words[1]} (${code})`, cure: words[2] };
  return { says: cause.message };
}

const wordsOf: ReadonlyArray<readonly [code: RegExp, says: string, cure: string]> = [
  [/^ECONNREFUSED$/, 'nothing listens there', 'start it, or correct the address and port'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'its name is not known', 'correct the host name, or make it resolve on this computer'],
  [/^(ECONNRESET|UND_ERR_SOCKET|EPIPE)$/, 'the connection was cut', 'see the log of the other side'],
  [
    /^(ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT|EHOSTUNREACH|ENETUNREACH)$/,
    'it cannot be reached',
    'see whether a firewall or a security group lets this computer through',
  ],
  [
    /^(UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT)$/,
    'it took the connection and does not answer',
    'see the log of the other side',
  ],
  [/^CERT_HAS_EXPIRED$/, 'its certificate has expired', 'renew the certificate'],
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT.*)$/,
    'no authority that is known here signed its certificate',
    'name the authority’s PEM file: tls.ca of a target, certificateAuthorityFile of PostgreSQL, NODE_EXTRA_CA_CERTS for others',
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    'its certificate is for another name',
    'use the name in the certificate, or tls.serverName',
  ],
  [
    /^(ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG|EPROTO)$/,
    'it does not speak TLS',
    'write http:// where it is on this computer, or the TLS port',
  ],
  [/^HPE_/, 'it does not speak HTTP', 'correct the port'],
];

/** The network's own error stands inside others. */
function rootOf(error: unknown): Error {
  let found = error;
  for (let depth = 0; depth < 8; depth++) {
    if (found instanceof AggregateError && found.errors[0] instanceof Error) found = found.errors[0];
    else if (found instanceof Error && found.cause instanceof Error) found = found.cause;
    else break;
  }
  return found instanceof Error ? found : new Error(String(found));
}
