/**
 * The keyring: from the operator's secrets one key for each purpose, with key ids, so that secrets can be changed
 * without logging anybody out. MACs (RFC 2104, full length) for what is checked, AES-256-GCM for what is read back.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/** A secret of the operator. The first of a list makes new values, every one of them is accepted. */
export interface KeyringSecret {
  /** Short and public: it stands inside what it made. Letters and digits, at most 16. */
  readonly id: string;
  /** At least 32 bytes of randomness; text counts as its UTF-8 bytes. */
  readonly secret: string | Uint8Array;
}

/** What a key is for. A value made for one purpose is worth nothing for another. */
export type Purpose =
  | 'authorization-code'
  | 'refresh-token'
  | 'client-id'
  | 'client-secret'
  | 'consent'
  | 'identity-provider'
  | 'sealing';

export interface Keyring {
  /** Whose keys they are. */
  readonly issuer: string;
  /** Id of the key that makes new values. */
  readonly currentKeyId: string;
  /** HMAC-SHA-256, 32 bytes as base64url; undefined for an unknown key id. */
  mac(purpose: Purpose, data: string, keyId?: string): string | undefined;
  /** In constant time; false for an unknown key id. */
  verifyMac(purpose: Purpose, data: string, mac: string, keyId: string): boolean;
  /** `<key id>.<iv, ciphertext, tag>`; `context` (kind and id of the record it stands in) must be the same to open it. */
  seal(context: string, plaintext: string): string;
  /** Undefined: another context, another key, or not sealed by us. */
  open(context: string, sealed: string): string | undefined;
  /** As `open`; `stale`: sealed with a key that is no longer the current one, so that who can should seal it again. */
  opened(context: string, sealed: string): Opened | undefined;
}

export interface Opened {
  readonly text: string;
  readonly stale: boolean;
}

/** What is wrong with a list of secrets; never shows one. */
export function secretFaults(secrets: readonly KeyringSecret[]): readonly string[] {
  if (secrets.length === 0) return ['secrets: at least one is needed'];
  return secrets.flatMap(({ id, secret }, index) => {
    const faults: string[] = [];
    if (!/^[A-Za-z0-9]{1,16}$/.test(id)) faults.push(`secrets: the id "${id}" must be 1 to 16 letters or digits`);
    if (bytesOf(secret).byteLength < 32) faults.push(`secrets: "${id}" must have at least 32 bytes`);
    if (secrets.findIndex((other) => other.id === id) !== index) faults.push(`secrets: the id "${id}" stands twice`);
    return faults;
  });
}

function bytesOf(secret: string | Uint8Array): Uint8Array {
  return typeof secret === 'string' ? Buffer.from(secret, 'utf8') : secret;
}

/** `issuer` is part of every key: two deployments with one secret accept nothing of each other's. */
export function keyring(issuer: string, secrets: readonly KeyringSecret[]): Keyring {
  const faults = secretFaults(secrets);
  const [current] = secrets;
  if (!current || faults.length > 0) throw new TypeError(faults.join('; '));
  const roots = new Map(secrets.map(({ id, secret }) => [id, bytesOf(secret)]));

  // KeyObjects, made once: raw Buffer keys are imported anew at every call on Node 24 (performance.md).
  const keys = new Map<string, KeyObject>();
  const key = (purpose: Purpose, keyId: string): KeyObject | undefined => {
    const name = `${keyId} ${purpose}`;
    let found = keys.get(name);
    const root = roots.get(keyId);
    if (!found && root) {
      const derived = hkdfSync('sha256', root, 'gatehouse', `${purpose} ${issuer}`, 32);
      found = createSecretKey(Buffer.from(derived));
      keys.set(name, found);
    }
    return found;
  };

  const mac: Keyring['mac'] = (purpose, data, keyId = current.id) => {
    const found = key(purpose, keyId);
    return found && createHmac('sha256', found).update(data, 'utf8').digest('base64url');
  };

  const open: Keyring['open'] = (context, sealed) => {
    const keyId = sealingKeyId(sealed);
    const found = key('sealing', keyId);
    const encoded = sealed.slice(keyId.length + 1);
    const bytes = Buffer.from(encoded, 'base64url');
    // One value has one spelling: another of the same bytes would be another record to whoever compares text.
    if (!found || bytes.length < 28 || bytes.toString('base64url') !== encoded) return undefined;
    try {
      const decipher = createDecipheriv('aes-256-gcm', found, bytes.subarray(0, 12), { authTagLength: 16 });
      decipher.setAAD(Buffer.from(context, 'utf8'));
      decipher.setAuthTag(bytes.subarray(-16));
      return decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      return undefined;
    }
  };

  return {
    issuer,
    currentKeyId: current.id,
    mac,
    verifyMac(purpose, data, given, keyId) {
      const expected = mac(purpose, data, keyId);
      if (expected === undefined) return false;
      const a = Buffer.from(expected);
      const b = Buffer.from(given);
      return a.length === b.length && timingSafeEqual(a, b);
    },
    seal(context, plaintext) {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key('sealing', current.id) as KeyObject, iv);
      cipher.setAAD(Buffer.from(context, 'utf8'));
      const bytes = Buffer.concat([iv, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${current.id}.${bytes.toString('base64url')}`;
    },
    open,
    opened(context, sealed) {
      const text = open(context, sealed);
      return text === undefined ? undefined : { text, stale: sealingKeyId(sealed) !== current.id };
    },
  };
}

/** The id of the key that a value was sealed with, as the value says; empty if it says none. */
export function sealingKeyId(sealed: string): string {
  return sealed.slice(0, Math.max(sealed.indexOf('.'), 0));
}
