/**
 * Really signed Notary repositories in memory, consistent unless told otherwise, so that a test of a
 * refusal changes one thing. Nothing of what is tested is used to make them: canonical JSON, key ids
 * and certificates are written a second time beside this.
 */
import { createHash } from 'node:crypto';
import type { Gun } from '../../../src/shared/image-reference.ts';
import type { RoleName } from '../../../src/sidecar/tuf/metadata.ts';
import { makeCertificateKey } from './certificate.ts';
import { canonical, goWire, type DraftObject } from './draft.ts';
import { keyObject, makeKey, signText, type TestKey } from './key.ts';

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
/** A delegation, as docker names its own. */
export const RELEASES = 'targets/releases' as RoleName;
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
