/** `gatehouse keys`: looks at, rotates, prunes and revokes the keys that sign access tokens, beside running gateways. */
import {
  type KeyDescription,
  KeySetSealedError,
  listKeys,
  pruneKeys,
  revokeKey,
  rotateKeys,
  type SigningAlgorithm,
  signingAlgorithms,
} from '@mcp-gatehouse/auth';
import { auditTrail, recordSink } from '@mcp-gatehouse/auth/audit';
import type { Config } from '../config/schema.ts';
import {
  configFrom,
  keyringOf,
  placeHelp,
  placeOptions,
  refuseMemory,
  systemSeconds,
  withRecords,
} from './configured.ts';
import { date, table } from './table.ts';
import { exitCodes, readArguments, say, sayJson, UsageError } from './usage.ts';

export const keysHelp = `gatehouse keys – the keys that sign access tokens

  gatehouse keys list --config gatehouse.yaml
      Which keys there are, what each is for, and which secret seals it.

  gatehouse keys rotate --config gatehouse.yaml
      Publishes a new key now and signs with it in two and a half hours, when
      every verifier knows it. The old one stays published for another 25.
      Running gateways follow within a minute; none is restarted. Asked for
      again while it is under way, it changes nothing.

  gatehouse keys prune --config gatehouse.yaml
      Takes out keys whose tokens have all expired. Gateways do so themselves.

  gatehouse keys revoke KID --config gatehouse.yaml
      A key became known: every token it signed ends within a minute. If it is
      the key that signs, first: gatehouse keys rotate --now

Options
${placeHelp}
  --issuer URL         with --data: the gateway's URL     (where it was last)
  --algorithm NAME     of the new key: ES256, RS256, EdDSA  (as the current one)
  --now                sign with it in ten seconds; whoever caches the public
                       keys outside the gateway refuses its tokens for a while
  --json               one JSON line: { keys: [{ kid, algorithm, state,
                       createdAt, signsFrom?, publishedUntil?, sealedWith? }] }
                       of list; { outcome, kid, algorithm, signsFrom } of
                       rotate; { removed: [KID] } of prune; { outcome, kid } of
                       revoke; times are seconds
  --help               this text

Exit codes: 0 done or nothing to do, 1 could not, 2 wrong usage.
`;

interface Plan {
  readonly command: (typeof commands)[number];
  readonly kid: string;
  readonly config: Config;
  readonly algorithm: SigningAlgorithm | undefined;
  readonly atOnce: boolean;
  readonly json: boolean;
}

/** What was done, for a program and for a person. */
interface Outcome {
  readonly value: object;
  readonly text: string;
  readonly failed?: boolean;
  /** What is to be kept of it, and of which keys. */
  readonly changed?: { readonly action: 'rotated' | 'pruned' | 'revoked'; readonly kids: readonly string[] };
}

const commands = ['list', 'rotate', 'prune', 'revoke'] as const;

/** Resolves to the exit code. */
export async function keysCommand(args: readonly string[]): Promise<number> {
  const plan = planFrom(args);
  if (!plan) {
    process.stdout.write(keysHelp);
    return 0;
  }
  const { config, json } = plan;
  const keyring = keyringOf(config);
  return withRecords(config, async (records) => {
    const now = systemSeconds();
    const {
      value,
      text,
      failed = false,
      changed,
    } = await run(plan, { records, keyring, now }).catch((error: unknown) => {
      if (!(error instanceof KeySetSealedError)) throw error;
      throw new Error(`${error.message}\nA key opens for one issuer only: is ${config.issuer} the right one?`);
    });
    if (changed) await keepTrace(changed, config, records, now);
    if (json) sayJson(value);
    else say(text);
    return failed ? exitCodes.failed : exitCodes.done;
  });
}

/** Who may change keys may read this, too; but the next operator learns that somebody did. */
async function keepTrace(
  { action, kids }: NonNullable<Outcome['changed']>,
  { audit }: Config,
  records: Parameters<typeof pruneKeys>[0]['records'],
  now: number,
): Promise<void> {
  if (!audit.records) return;
  const trail = auditTrail({ sinks: [recordSink({ records, ...audit.records })], now: () => now });
  for (const kid of kids) trail.log({ event: 'keys.changed', action, kid });
  await trail.close();
}

async function run(
  { command, kid, algorithm, atOnce }: Plan,
  options: Parameters<typeof pruneKeys>[0],
): Promise<Outcome> {
  switch (command) {
    case 'list': {
      const keys = await listKeys(options);
      return { value: { keys }, text: keys.length === 0 ? 'No gateway has made a key yet.' : keyTable(keys) };
    }
    case 'rotate': {
      // Keys are kept by issuer: with a wrong one there would now be a set that no gateway reads.
      if ((await listKeys(options)).length === 0) {
        throw new Error(`No gateway has made a key yet at this issuer: is ${options.keyring.issuer} the right one?`);
      }
      const rotation = await rotateKeys({ ...options, atOnce, ...(algorithm && { algorithm }) });
      if (rotation.outcome === 'full') {
        return {
          value: rotation,
          text: 'So many keys are still in use that no other can be added: wait a day.',
          failed: true,
        };
      }
      const when = rotation.signsFrom <= options.now ? 'signs' : `signs from ${date(rotation.signsFrom)} on`;
      const what = rotation.outcome === 'pending' ? 'A rotation is under way: the' : 'The new';
      const made = rotation.outcome !== 'pending' && { changed: { action: 'rotated' as const, kids: [rotation.kid] } };
      return {
        value: rotation,
        ...made,
        text: `${what} key ${rotation.kid} (${rotation.algorithm}) is published and ${when}.`,
      };
    }
    case 'prune': {
      const removed = await pruneKeys(options);
      return {
        value: { removed },
        ...(removed.length > 0 && { changed: { action: 'pruned' as const, kids: removed } }),
        text: removed.length === 0 ? 'Every key is still needed.' : `Taken out: ${removed.join(', ')}`,
      };
    }
    case 'revoke': {
      const outcome = await revokeKey(options, kid);
      const text = {
        revoked: `The key ${kid} is revoked; gateways refuse its tokens within a minute.`,
        only: `The key ${kid} is the one that signs, and there is no other yet: gatehouse keys rotate --now makes one.`,
        unknown: `There is no key ${kid}.`,
      }[outcome];
      const done = outcome === 'revoked' && { changed: { action: 'revoked' as const, kids: [kid] } };
      return { value: { outcome, kid }, text, failed: outcome !== 'revoked', ...done };
    }
  }
}

function keyTable(keys: readonly KeyDescription[]): string {
  const rows = keys.map(({ kid, algorithm, state, createdAt, signsFrom, publishedUntil, sealedWith }) => [
    kid,
    algorithm,
    state,
    date(createdAt),
    signsFrom === undefined
      ? publishedUntil === undefined
        ? ''
        : `until ${date(publishedUntil)}`
      : `signs from ${date(signsFrom)}`,
    sealedWith ?? '',
  ]);
  return table(['KEY', 'ALGORITHM', 'STATE', 'MADE', 'PUBLISHED', 'SEALED WITH'], rows);
}

function planFrom(args: readonly string[]): Plan | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [name, kid = '', ...rest] = positionals;
  const command = commands.find((one) => one === name);
  if (!command) throw new UsageError(`Say what to do with the keys: ${commands.join(', ')}.`);
  if (rest.length > 0 || (kid !== '') !== (command === 'revoke')) {
    throw new UsageError(
      command === 'revoke' ? 'Say which key: gatehouse keys revoke KID.' : `keys ${command} takes no "${kid}".`,
    );
  }
  if (command !== 'rotate') {
    if (values.now) throw new UsageError('--now belongs to keys rotate.');
    if (values.algorithm !== undefined) throw new UsageError('--algorithm belongs to keys rotate.');
  }
  const algorithm = signingAlgorithms.find((one) => one === values.algorithm);
  if (values.algorithm !== undefined && !algorithm) {
    throw new UsageError(`--algorithm takes ${signingAlgorithms.join(', ')}.`);
  }
  const config = configFrom(values, 'keys');
  refuseMemory(config);
  return { command, kid, config, algorithm, atOnce: values.now ?? false, json: values.json ?? false };
}

function parse(args: readonly string[]) {
  return readArguments({
    args: [...args],
    allowPositionals: true,
    options: {
      ...placeOptions,
      algorithm: { type: 'string' },
      now: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}
