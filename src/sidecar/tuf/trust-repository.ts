import type { Gun } from '../../shared/image-reference.ts';
import type { SigningError } from '../../shared/signing-error.ts';
import type { KeyId } from './key.ts';
import type { MetadataFile, RoleName, Root, Snapshot, Targets, Timestamp } from './metadata.ts';

declare const verified: unique symbol;

/** A repository whose every file was verified. Holding one is the proof: `verifyRepository` alone makes it. */
export interface TrustRepository {
  readonly [verified]: true;
  readonly gun: Gun;
  /** Ids of the root keys that signed, as root.json lists them. */
  readonly rootKeyIds: readonly KeyId[];
  readonly root: MetadataFile<Root>;
  readonly timestamp: MetadataFile<Timestamp>;
  readonly snapshot: MetadataFile<Snapshot>;
  readonly targets: MetadataFile<Targets>;
  /** The delegations that `targets` names and that their keys have signed. */
  readonly delegations: ReadonlyMap<RoleName, MetadataFile<Targets>>;
  /**
   * Those of `targets` and delegations that readers do not read, and why: they have expired, or the
   * snapshot does not list them. To sign them again is the cure.
   */
  readonly unread: ReadonlyMap<RoleName, SigningError>;
  /** Delegations that their keys have not signed, and why not: readers pass over them. */
  readonly rejected: ReadonlyMap<RoleName, SigningError>;
}
