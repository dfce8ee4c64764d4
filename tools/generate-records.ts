/** docs/records.md, made from the tables beside the record types so that it cannot be wrong. `--check` only says whether it is. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiKinds, describedApiRecords } from '../apps/ankify/src/api/idempotency.ts';
import { ankifyKinds } from '../apps/ankify/src/decks/deck.ts';
import { describedAnkifyRecords } from '../apps/ankify/src/decks/record-fields.ts';
import { authKinds } from '../packages/auth/src/authorization-server/records.ts';
import { describedAuthRecords } from '../packages/auth/src/record-fields.ts';
import { type AnyFields, fieldRows } from '../packages/records/src/described.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const file = 'docs/records.md';

/** Tables and kinds of any package, without their types. */
export type AnyKinds = Readonly<Record<string, { readonly version?: number; readonly groupOf?: unknown }>>;
export type AnyDescribed = Readonly<
  Record<string, { readonly id: string; readonly life: string; readonly fields: object }>
>;

export function recordsPage(): string {
  return `# What is stored

<!-- Generated from the record-fields.ts beside the record types by \`node tools/generate-records.ts\`; do not edit. -->

No record holds a usable credential. Codes, refresh tokens and the ids of stateless clients are not stored: they are MACs under keys
derived from the operator's secrets. The PKCE verifier and the nonce of a sign-in are derived from its state. Times are seconds since the
epoch, digests base64url.

**Kept as** – \`plain\`: as it is. \`hashed\`: only a digest is stored. \`derived\`: computed from other data, and tells nothing without them.
\`sealed\`: AES-256-GCM under the operator's secrets, or wrapped by a key management service. A \`?\` behind a name: not always there;
\`[]\`: in each of a list.

## Gateway

Types: \`packages/auth/src/authorization-server/records.ts\`.

${kindTable(authKinds, describedAuthRecords)}

${fieldTables(describedAuthRecords)}

## Ankify

Types: \`apps/ankify/src/decks/deck.ts\` and \`apps/ankify/src/api/idempotency.ts\`. The cards of one deck take at most 350 KB.

${kindTable({ ...ankifyKinds, ...apiKinds }, { ...describedAnkifyRecords, ...describedApiRecords })}

${fieldTables({ ...describedAnkifyRecords, ...describedApiRecords })}

${versions}

${databases}
`;
}

/** One row a kind. */
export function kindTable(kinds: AnyKinds, described: AnyDescribed): string {
  const rows = Object.entries(described).map(([kind, { id, life }]) => {
    const { version = 1 } = kinds[kind] ?? {};
    return `| \`${kind}\` | ${version} | ${cell(id)} | ${cell(life)} |`;
  });
  return ['| Kind | Version | Id | Life |', '|---|---|---|---|', ...rows].join('\n');
}

/** One table a kind. */
export function fieldTables(described: AnyDescribed): string {
  const tables = Object.entries(described).map(([kind, { fields }]) => {
    const rows = fieldRows(fields as AnyFields).map(
      ({ path, type, protection, meaning }) =>
        `| \`${path}\` | ${typeNames[type] ?? type} | ${protection} | ${cell(meaning)} |`,
    );
    return [`### \`${kind}\``, '', '| Field | Type | Kept as | Meaning |', '|---|---|---|---|', ...rows].join('\n');
  });
  return tables.join('\n\n');
}

const typeNames: Readonly<Record<string, string>> = { texts: 'list of text', flag: 'true' };

const versions = `## Versions

Every stored value carries the version of its shape: version 1 is plain JSON, any other has its number before it (\`v2 {…}\`).

- **An older record** is read and upgraded, by every release that ever knew how; it is stored in the new shape when it is next written.
  There is nothing to migrate and no time to do it in.
- **A newer record** is refused with words: \`record grant "…" was written by a newer release (version 3; this one knows 2)\`. It is never
  taken, overwritten or passed over: not by \`take\`, and a page of a list that holds one is refused as a whole, because a list that leaves
  one out looks complete. \`create\` finds that there is one.
- **While releases are exchanged**, an instance of the old one may meet what the new one has written; it then answers 503, and clients come
  again. So it is after going back to an old release: what the new one wrote since is refused until it expires or the new one runs again.
- A field that may be missing needs no new version; whatever would be misread does. Each released shape is kept as a fixture
  (\`packages/auth/test/records/fixtures\`, \`apps/ankify/test/records/fixtures\`) that every later release must go on with.`;

const databases = `## What each database promises

Expired records are absent to every reader from the second they expire; when a database removes them is its own affair.

**Memory** – nothing outlives the process.

**SQLite** – an acknowledged write is synced to the disk (WAL, \`synchronous = FULL\`) and survives a crash of the process, of the machine
and, with a disk that tells the truth, a loss of power. A disk that is full or fails refuses writes (503); what was acknowledged stays, and
writing goes on once it works again. One machine, one local disk.

**PostgreSQL** – an acknowledged write is as durable as \`synchronous_commit\` says. \`off\` is overridden for our connections, because it would
lose the last moments in a crash; with \`on\` and no synchronous standby, a failover to an asynchronous replica may lose what it had not
received yet. With a synchronous standby (\`remote_apply\` or \`on\` with \`synchronous_standby_names\`, or RDS Multi-AZ) nothing is lost.
We read from the primary only: a replica is refused.

**Redis and Valkey** – may lose writes it has acknowledged: in a crash, unless \`appendfsync always\` is set (\`everysec\` loses about a
second), and at a failover, because replication is asynchronous. What that means here: a code or refresh token that was redeemed in those
moments, a spent assertion or a grant that was revoked can come back, for what is left of its life; a refresh token issued in them may be
refused, and the person signs in again. Choose another database where that is not acceptable. Keys must not be evicted: an \`allkeys-\`
policy is refused at the first use.

**DynamoDB** – an acknowledged write is on the disks of several zones, and every read is strongly consistent, also of lists (a local index).
Attribute \`t\` is the table's time to live: DynamoDB removes an item within days after it, and nobody relies on when. Each kind is spread
over 16 buckets, by the hash of the id: a list asks all of them. An item has at most 400 KB; longer values are compressed first (from 2 KB
on), and one that is still longer than 390 KB is refused. Attributes: \`p\` kind and bucket, \`s\` id, \`v\` value, \`n\` write, \`g\` group,
\`e\` and \`x\` expiry, \`f\` version of the shape from 2 on.`;

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function main(check: boolean): void {
  const page = recordsPage();
  if (readOrNothing(join(root, file)) === page) return;
  process.stdout.write(`${check ? 'out of date' : 'written'}: ${file}\n`);
  if (!check) {
    writeFileSync(join(root, file), page);
    return;
  }
  process.stderr.write('Run npm run docs and commit what it writes.\n');
  process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes('--check'));
