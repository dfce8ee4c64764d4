/** A certificate authority of the test's own, by the `openssl` that every Linux has: its certificates can be wrong in any way. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Authority {
  /** PEM, for `--ca`. */
  readonly root: string;
  /** PEM: the root signed it, and it signed every certificate. */
  readonly intermediate: string;
  issue(wanted: { readonly names: readonly string[]; readonly from?: Date; readonly until?: Date }): Issued;
}

export interface Issued {
  readonly key: string;
  /** The certificate alone. */
  readonly leaf: string;
  /** As a server should send it. */
  readonly chain: string;
}

const day = 86_400_000;

export function createAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-authority-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  let serial = 0;
  const file = (name: string) => join(folder, name);
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { stdio: 'pipe', cwd: folder });
  const key = (name: string) =>
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', file(`${name}.key`));

  /** By `openssl ca`, the only way to any dates. */
  function sign(name: string, by: string, extensions: string, from: Date, until: Date): string {
    serial += 1;
    const config = `[ca]
default_ca = own
[own]
dir = ${folder}
database = ${file(`${name}.index`)}
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = extensions
unique_subject = no
[any]
commonName = supplied
[extensions]
${extensions}
`;
    writeFileSync(file(`${name}.cnf`), config);
    writeFileSync(file(`${name}.index`), '');
    openssl('req', '-new', '-key', file(`${name}.key`), '-subj', `/CN=${name}`, '-out', file(`${name}.csr`));
    const who =
      by === name
        ? ['-selfsign', '-keyfile', file(`${name}.key`)]
        : ['-cert', file(`${by}.pem`), '-keyfile', file(`${by}.key`)];
    openssl(
      'ca',
      '-batch',
      '-notext',
      '-config',
      file(`${name}.cnf`),
      ...who,
      '-in',
      file(`${name}.csr`),
      '-out',
      file(`${name}.pem`),
      '-outdir',
      folder,
      '-startdate',
      asn1(from),
      '-enddate',
      asn1(until),
    );
    return readFileSync(file(`${name}.pem`), 'utf8');
  }

  const now = Date.now();
  const authority =
    'basicConstraints = critical,CA:true\nkeyUsage = critical,keyCertSign,cRLSign\nsubjectKeyIdentifier = hash';
  key('test-root');
  const root = sign('test-root', 'test-root', authority, new Date(now - day), new Date(now + 90 * day));
  key('test-intermediate');
  const intermediate = sign('test-intermediate', 'test-root', authority, new Date(now - day), new Date(now + 90 * day));
  return {
    root,
    intermediate,
    issue({ names, from = new Date(now - day), until = new Date(now + 60 * day) }) {
      const name = `leaf-${serial + 1}`;
      key(name);
      const alternatives = names.map((one) => (/^[\d.]+$/.test(one) ? `IP:${one}` : `DNS:${one}`)).join(',');
      const leaf = sign(name, 'test-intermediate', `subjectAltName = ${alternatives}`, from, until);
      return { key: readFileSync(file(`${name}.key`), 'utf8'), leaf, chain: leaf + intermediate };
    },
  };
}

function asn1(date: Date): string {
  return `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
}
