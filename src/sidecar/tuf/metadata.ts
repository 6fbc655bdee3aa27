import type { Json } from './canonical-json.ts';
import type { KeyId, PublicKey } from './key.ts';

/** `root`, `targets`, `snapshot`, `timestamp`, or a delegation `targets/<name>`. */
export type RoleName = string & { readonly brand: 'RoleName' };

export const ROOT = 'root' as RoleName;
export const TARGETS = 'targets' as RoleName;
export const SNAPSHOT = 'snapshot' as RoleName;
export const TIMESTAMP = 'timestamp' as RoleName;
/** The delegation that `docker pull` and `docker trust inspect` look into before `targets`. */
export const RELEASES = 'targets/releases' as RoleName;

/** Length in bytes and hashes (algorithm → base64) of a file or an image manifest. */
export interface FileMeta {
  readonly length: number;
  readonly hashes: ReadonlyMap<string, string>;
  readonly custom?: Json;
  /**
   * The whole entry as its file has it, where the file is not in canonical form: integers that a
   * number rounds, and escapes, are kept when it is signed again.
   */
  readonly text?: string;
}

/** Who may sign a role: `threshold` distinct keys of `keyIds`. */
export interface RoleKeys {
  readonly keyIds: readonly KeyId[];
  readonly threshold: number;
}

export interface Delegation extends RoleKeys {
  readonly name: RoleName;
  /** Prefixes of the tags that the delegation may sign; the empty one is a prefix of all. */
  readonly paths: readonly string[];
}

interface Common {
  /** RFC 3339, as the file has it. */
  readonly expires: string;
  readonly version: number;
}

export interface Root extends Common {
  readonly keys: ReadonlyMap<KeyId, PublicKey>;
  readonly roles: ReadonlyMap<RoleName, RoleKeys>;
}

export interface Targets extends Common {
  readonly delegations: {
    readonly keys: ReadonlyMap<KeyId, PublicKey>;
    readonly roles: readonly Delegation[];
  };
  /** By tag: all, or those alone that whoever read the file asked for. */
  readonly targets: ReadonlyMap<string, FileMeta>;
}

export interface Snapshot extends Common {
  readonly meta: ReadonlyMap<RoleName, FileMeta>;
}

export interface Timestamp extends Common {
  readonly snapshot: FileMeta;
}

export interface Signature {
  readonly keyId: string;
  readonly method: string;
  /** Base64. */
  readonly sig: string;
}

/** One metadata file, parsed and not yet verified. */
export interface MetadataFile<Content> {
  readonly content: Content;
  readonly signatures: readonly Signature[];
  /**
   * What the signatures are over: the canonical JSON of `signed`. Undefined in a verified repository
   * where no key of this run may sign the role: the text may be large, and nothing reads it later.
   */
  readonly signed: Uint8Array | undefined;
  /**
   * Whether the file is known to be in canonical form: what is signed again of it stays as it is. Else
   * the content has all that there is.
   */
  readonly isCanonical: boolean;
  /** Members that signing the file again would lose. */
  readonly unknownMembers: readonly string[];
}
