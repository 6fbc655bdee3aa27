/**
 * Really signed Notary repositories in memory, consistent unless told otherwise, so that a test of a
 * refusal changes one thing. Nothing of what is tested is used to make them: canonical JSON, key ids
 * and certificates are written a second time here.
 */
import { constants, createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Gun } from '../src/shared/image-reference.ts';
import type { KeyId, SignatureMethod } from '../src/shared/tuf/key.ts';
import type { RoleName } from '../src/shared/tuf/metadata.ts';
import type { SigningKey } from '../src/shared/tuf/publication.ts';

/** JSON to change in place. */
export type Draft = null | boolean | number | string | Draft[] | DraftObject;
export interface DraftObject {
  [name: string]: Draft;
}

/** A key that signs roles, as metadata lists it. */
export interface TestKey {
  readonly keytype: string;
  readonly public: string;
  /** The id that roles list (TUF key id). */
  readonly id: KeyId;
  /** The id of the bare public key. */
  readonly canonicalId: KeyId;
  readonly method: SignatureMethod;
  readonly privateKey: KeyObject;
}

export type KeyKind = 'p256' | 'p384' | 'p521' | 'rsa1024' | 'rsa2048' | 'ed25519';

const ED25519_PREFIX_LENGTH = 12;

/** A new bare key. */
export function makeKey(kind: KeyKind = 'p256'): TestKey {
  const { privateKey } = generate(kind);
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  if (kind === 'ed25519') {
    return listKey(
      privateKey,
      'ed25519',
      spki.subarray(ED25519_PREFIX_LENGTH).toString('base64'),
      'eddsa',
    );
  }
  const rsa = kind.startsWith('rsa');
  const text = spki.toString('base64');
  return listKey(privateKey, rsa ? 'rsa' : 'ecdsa', text, rsa ? 'rsapss' : 'ecdsa');
}

/** The key as another key object over the same private key: one with another id. */
export function relist(key: TestKey, keytype: string, publicText: string): TestKey {
  return {
    ...listKey(key.privateKey, keytype, publicText, key.method),
    canonicalId: key.canonicalId,
  };
}

function generate(kind: KeyKind): { readonly privateKey: KeyObject } {
  switch (kind) {
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'p521':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' });
    case 'rsa1024':
      return generateKeyPairSync('rsa', { modulusLength: 1024 });
    case 'rsa2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
    case 'ed25519':
      return generateKeyPairSync('ed25519');
  }
}

function listKey(
  privateKey: KeyObject,
  keytype: string,
  publicText: string,
  method: SignatureMethod,
): TestKey {
  const id = createHash('sha256')
    .update(canonical(keyObject(keytype, publicText)))
    .digest('hex') as KeyId;
  return { keytype, public: publicText, id, canonicalId: id, method, privateKey };
}

function keyObject(keytype: string, publicText: string): DraftObject {
  return { keytype, keyval: { private: null, public: publicText } };
}

/** What a root certificate is to say. */
export interface CertificateOptions {
  readonly commonName: string;
  readonly key?: TestKey;
  readonly from?: Date;
  readonly to?: Date;
  readonly digest?: 'sha256' | 'sha1';
  /** Whether it says to be a certificate authority. */
  readonly authority?: boolean;
  /** PEM that follows the certificate in the key, as of intermediates. */
  readonly chain?: string;
}

/** A key listed as a self-signed certificate over it. */
export function makeCertificateKey(options: CertificateOptions): TestKey {
  const key = options.key ?? makeKey();
  const pem = makeCertificate({ ...options, key }) + (options.chain ?? '');
  return relist(key, `${key.keytype}-x509`, Buffer.from(pem).toString('base64'));
}

/** A self-signed certificate in PEM. Without dates, it is good for the decade of {@link NOW}. */
export function makeCertificate(options: CertificateOptions): string {
  const { commonName, key = makeKey(), authority = false, digest = 'sha256' } = options;
  const rsa = key.keytype === 'rsa';
  const algorithm = sequence(
    objectIdentifier(SIGNATURE_ALGORITHMS[`${rsa ? 'rsa' : 'ec'}-${digest}`]),
    ...(rsa ? [der(0x05)] : []),
  );
  const name = sequence(
    der(0x31, sequence(objectIdentifier('550403'), der(0x0c, Buffer.from(commonName)))),
  );
  const constraints = sequence(...(authority ? [der(0x01, Buffer.from([0xff]))] : []));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    algorithm,
    name,
    sequence(
      utcTime(options.from ?? new Date('2025-01-01T00:00:00Z')),
      utcTime(options.to ?? new Date('2035-01-01T00:00:00Z')),
    ),
    name,
    createPublicKey(key.privateKey).export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(
        sequence(
          objectIdentifier('551d13'),
          der(0x01, Buffer.from([0xff])),
          der(0x04, constraints),
        ),
      ),
    ),
  );
  const signature = sign(digest, body, key.privateKey);
  const certificate = sequence(body, algorithm, der(0x03, Buffer.from([0]), signature));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const SIGNATURE_ALGORITHMS = {
  'ec-sha256': '2a8648ce3d040302',
  'ec-sha1': '2a8648ce3d0401',
  'rsa-sha256': '2a864886f70d01010b',
  'rsa-sha1': '2a864886f70d010105',
};

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(0x30, ...parts);
}

function objectIdentifier(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function utcTime(time: Date): Buffer {
  return der(0x17, Buffer.from(`${time.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
}

export type BaseRole = 'root' | 'targets' | 'snapshot' | 'timestamp';

/** A delegation, and what it has signed. */
export interface DelegationOptions {
  readonly name: string;
  readonly keys: readonly TestKey[];
  /** `['']` by default: all tags. */
  readonly paths?: readonly string[];
  readonly threshold?: number;
  /** Its entries; absent: declared and never published. */
  readonly targets?: DraftObject;
}

/** What is to differ from a plain, good repository. Records are by role. */
export interface RepositoryOptions {
  readonly gun?: string;
  readonly keys?: Partial<Record<BaseRole, readonly TestKey[]>>;
  readonly thresholds?: Partial<Record<BaseRole, number>>;
  /** Entries of the top-level targets. */
  readonly targets?: DraftObject;
  readonly delegations?: readonly DelegationOptions[];
  readonly versions?: Readonly<Record<string, number>>;
  readonly expires?: Readonly<Record<string, string>>;
  /** Who signs, where not the keys of the role. */
  readonly signers?: Readonly<Record<string, readonly TestKey[]>>;
  /** Changes to `signed`, before it is signed and hashed. */
  readonly edit?: Readonly<Record<string, (signed: DraftObject) => void>>;
  /** Changes to the whole file, after it was signed and before it is hashed. */
  readonly editFile?: Readonly<Record<string, (file: DraftObject) => void>>;
  /** Changes to the bytes, before they are hashed. */
  readonly editBytes?: Readonly<Record<string, (bytes: Buffer) => Buffer>>;
  /** What is served instead of the bytes that were hashed; undefined: nothing. */
  readonly serve?: Readonly<Record<string, (bytes: Buffer) => Buffer | undefined>>;
}

/** A repository as a server has it. */
export interface BuiltRepository {
  readonly gun: Gun;
  readonly files: ReadonlyMap<RoleName, Buffer>;
  readonly keys: Readonly<Record<BaseRole, readonly TestKey[]>>;
  /** What the server has after a publication: new snapshot and timestamp, as it makes them. */
  publish(files: ReadonlyMap<RoleName, Uint8Array>): BuiltRepository;
}

export const GUN = 'registry.example.test/team/app';
/** A moment at which repositories are in date. */
export const NOW = new Date('2026-11-23T12:00:00Z');
const EXPIRES = '2029-11-22T12:00:00.123456789Z';

/** Builds a repository, every file signed and hashed. */
export function buildRepository(options: RepositoryOptions = {}): BuiltRepository {
  const gun = options.gun ?? GUN;
  const keys = {
    root: options.keys?.root ?? [makeCertificateKey({ commonName: gun })],
    targets: options.keys?.targets ?? [makeKey()],
    snapshot: options.keys?.snapshot ?? [makeKey('ed25519')],
    timestamp: options.keys?.timestamp ?? [makeKey('ed25519')],
  };
  const delegations = options.delegations ?? [];

  const file = (role: string, content: DraftObject, holders: readonly TestKey[]): Buffer => {
    const signed: DraftObject = {
      ...structuredClone(content),
      expires: options.expires?.[role] ?? EXPIRES,
      version: options.versions?.[role] ?? 1,
    };
    options.edit?.[role]?.(signed);
    const envelope = signFile(signed, options.signers?.[role] ?? holders);
    options.editFile?.[role]?.(envelope);
    const bytes = Buffer.from(goWire(envelope));
    return options.editBytes?.[role]?.(bytes) ?? bytes;
  };

  const roles = Object.fromEntries(
    Object.entries(keys).map(([role, holders]) => [
      role,
      {
        keyids: holders.map(({ id }) => id),
        threshold: options.thresholds?.[role as BaseRole] ?? 1,
      },
    ]),
  );
  const root = {
    _type: 'Root',
    consistent_snapshot: false,
    keys: listKeys(Object.values(keys).flat()),
    roles,
  };
  const published = new Map<string, Buffer>([['root', file('root', root, keys.root)]]);
  const targets = {
    _type: 'Targets',
    delegations: {
      keys: listKeys(delegations.flatMap((delegation) => delegation.keys)),
      roles: delegations.map(({ name, keys, paths = [''], threshold = 1 }) => ({
        keyids: keys.map(({ id }) => id),
        name,
        ...(paths.length > 0 && { paths: [...paths] }),
        threshold,
      })),
    },
    targets: options.targets ?? {},
  };
  published.set('targets', file('targets', targets, keys.targets));
  for (const { name, keys, targets } of delegations) {
    if (targets === undefined) continue;
    const content = { _type: 'Targets', delegations: { keys: {}, roles: [] }, targets };
    published.set(name, file(name, content, keys));
  }

  return serverSide(published, (served) => {
    const meta = Object.fromEntries([...served].map(([role, bytes]) => [role, fileMeta(bytes)]));
    const snapshot = file('snapshot', { _type: 'Snapshot', meta }, keys.snapshot);
    const timestamp = file(
      'timestamp',
      { _type: 'Timestamp', meta: { snapshot: fileMeta(snapshot) } },
      keys.timestamp,
    );
    const all = new Map([...served, ['snapshot', snapshot], ['timestamp', timestamp]] as const);
    const files = [...all].flatMap(([role, bytes]): [RoleName, Buffer][] => {
      const change = options.serve?.[role];
      const shown = change ? change(bytes) : bytes;
      return shown ? [[role as RoleName, shown]] : [];
    });
    return { gun: gun as Gun, files: new Map(files), keys };
  });
}

function serverSide(
  published: ReadonlyMap<string, Buffer>,
  serve: (published: ReadonlyMap<string, Buffer>) => Omit<BuiltRepository, 'publish'>,
): BuiltRepository {
  return {
    ...serve(published),
    publish: (files) => {
      const added = [...files].map(([role, bytes]) => [role, Buffer.from(bytes)] as const);
      return serverSide(new Map([...published, ...added]), serve);
    },
  };
}

/** A targets entry for a manifest. */
export function entry(sha256: string, length: number): DraftObject {
  return { hashes: { sha256: Buffer.from(sha256, 'hex').toString('base64') }, length };
}

/** Length and hashes of a file, as snapshot and timestamp name it. */
export function fileMeta(bytes: Uint8Array): DraftObject {
  const hash = (algorithm: string) => createHash(algorithm).update(bytes).digest('base64');
  return { hashes: { sha256: hash('sha256'), sha512: hash('sha512') }, length: bytes.length };
}

function listKeys(keys: readonly TestKey[]): DraftObject {
  return Object.fromEntries(keys.map((key) => [key.id, keyObject(key.keytype, key.public)]));
}

/** The envelope around `signed`, with a signature of each key. */
export function signFile(signed: DraftObject, keys: readonly TestKey[]): DraftObject {
  const signatures = keys.map((key) => ({
    keyid: key.id,
    method: key.method,
    sig: signText(canonical(signed), key).toString('base64'),
  }));
  return { signed, signatures };
}

/** A signature in Notary's form. */
export function signText(text: string | Uint8Array, key: TestKey): Buffer {
  const message = Buffer.from(text);
  switch (key.method) {
    case 'ecdsa':
      return sign('sha256', message, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
    case 'rsapss':
      return sign('sha256', message, {
        key: key.privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: 32,
      });
    case 'eddsa':
      return sign(null, message, key.privateKey);
  }
}

/** The key as one of ours, to sign publications with. */
export function asSigningKey(key: TestKey): SigningKey {
  const bare = createPublicKey(key.privateKey).export({ type: 'spki', format: 'der' });
  const publicKey = key.keytype.endsWith('-x509')
    ? { keytype: key.keytype.replace('-x509', ''), public: bare.toString('base64') }
    : { keytype: key.keytype, public: key.public };
  return {
    canonicalId: key.canonicalId,
    publicKey,
    method: key.method,
    signer: { sign: (message) => Promise.resolve(signText(message, key)) },
  };
}

/** Canonical JSON, of what the builder writes: no text with control characters or lone surrogates. */
export function canonical(value: Draft): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const names = Object.keys(value).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const members = names.map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`);
  return `{${members.join(',')}}`;
}

/** A file as Go's encoder writes it; members of the envelope and of signatures keep their order. */
function goWire(file: DraftObject): string {
  const members = Object.entries(file).map(([name, value]) => {
    const text = name === 'signed' ? canonical(value) : JSON.stringify(value);
    return `${JSON.stringify(name)}:${text}`;
  });
  const escape = (character: string) =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `{${members.join(',')}}`.replace(/[<>&\u2028\u2029]/g, escape);
}

/**
 * Sets what is at a path (`a.b.0`, or names where those hold dots); undefined removes it. For tables
 * of malformed files.
 */
export function setAt(
  root: DraftObject,
  path: string | readonly string[],
  value: Draft | undefined,
): void {
  const names = typeof path === 'string' ? path.split('.') : [...path];
  const last = names.pop() ?? '';
  let parent = root as Record<string, Draft | undefined>;
  for (const name of names) {
    const child = parent[name];
    if (typeof child !== 'object' || child === null) throw new Error(`nothing at ${name}`);
    parent = child as Record<string, Draft | undefined>;
  }
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else parent[last] = value;
}
