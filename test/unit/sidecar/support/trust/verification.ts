/** Verification of built repositories, and of what must be refused. */
import type { Test } from 'tap';
import type { Gun } from '../../../../../src/shared/image-reference.ts';
import { SigningError } from '../../../../../src/shared/signing-error.ts';
import {
  TARGETS,
  type MetadataFile,
  type RoleName,
  type Targets,
} from '../../../../../src/sidecar/tuf/metadata.ts';
import { fileOf } from '../../../../../src/sidecar/tuf/publication.ts';
import { verifyRepository, type TrustExpectations } from '../../../../../src/sidecar/tuf/verify.ts';
import {
  buildRepository,
  NOW,
  type BuiltRepository,
  type RepositoryOptions,
} from '../../../../support/trust/repository.ts';
import type { TrustRepository } from '../../../../../src/sidecar/tuf/trust-repository.ts';

/** What the caller of {@link verifyBuilt} expects, where not what the repository is. */
export interface Expected {
  readonly gun?: string;
  readonly rootPins?: readonly string[];
  readonly now?: Date;
  readonly earlier?: TrustRepository;
}

/** Verifies a built repository; without `expected`, under its own name, unpinned, at {@link NOW}. */
export function verifyBuilt(repository: BuiltRepository, expected: Expected = {}): TrustRepository {
  return verifyFiles(repository.files, {
    gun: (expected.gun ?? repository.gun) as Gun,
    rootPins: expected.rootPins ?? [],
    now: expected.now ?? NOW,
    ...(expected.earlier && { earlier: expected.earlier }),
  });
}

/** Verifies files, all of them at hand. */
export function verifyFiles(
  files: ReadonlyMap<RoleName, Uint8Array>,
  expected: TrustExpectations,
): TrustRepository {
  const verification = verifyRepository(expected);
  let answer: Uint8Array | undefined;
  for (;;) {
    const step = verification.next(answer);
    if (step.done === true) return step.value;
    answer = step.value && 'file' in step.value ? files.get(step.value.file.role) : undefined;
  }
}

/** The canonical JSON of what a file's signatures are over. */
export function signedText({ signed }: MetadataFile<unknown>): string {
  return Buffer.from(signed ?? '').toString();
}

/** A verified file of targets or a delegation. */
export function roleFile(repository: TrustRepository, role: RoleName): MetadataFile<Targets> {
  const file = fileOf(repository, role);
  if (!file) throw new Error(`${role} was not loaded`);
  return file;
}

/** The roles that a reader accepts, `targets` first. */
export function acceptedRoles({ delegations, unread }: TrustRepository): RoleName[] {
  return [TARGETS, ...delegations.keys()].filter((role) => !unread.has(role));
}

/** Verifies a built repository of which a reader must pass over nothing. */
export function verifyWhole(repository: BuiltRepository, expected: Expected = {}): TrustRepository {
  const verified = verifyBuilt(repository, expected);
  for (const reason of [...verified.unread.values(), ...verified.rejected.values()]) throw reason;
  return verified;
}

/** The verified top-level targets. */
export function targetsOf(repository: TrustRepository): Targets {
  return roleFile(repository, TARGETS).content;
}

/** The error of what must fail. */
export function failure(action: () => unknown): SigningError {
  try {
    action();
  } catch (error) {
    if (error instanceof SigningError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** What must be refused: what it is, how it is made, the code, and what the message says. */
export interface Refusal {
  readonly what: string;
  readonly options?: RepositoryOptions;
  readonly expected?: Expected;
  readonly code: string;
  readonly message: RegExp;
}

/** Checks that each is refused as it says: two assertions each. */
export function checkRefused(t: Test, refusals: readonly Refusal[]): void {
  for (const { what, options, expected, code, message } of refusals) {
    const error = failure(() => verifyWhole(buildRepository(options), expected));
    t.equal(error.code, code, what);
    t.match(error.message, message, what);
  }
}
