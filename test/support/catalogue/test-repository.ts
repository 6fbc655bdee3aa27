/** What a row of the failure catalogue is played in: a real server, and a repository at it. */
import { startBed, type Bed } from '../../bed/bed.ts';
import type { NotaryCli } from '../../bed/notary-cli.ts';
import type { ProxyOptions } from '../../bed/proxy.ts';
import { initRepository, secretOf } from '../../bed/notary-repository.ts';
import { reportToml, type SignerRunOptions } from '../signer-run.ts';

/** Where a notary-server has its snapshot and timestamp keys. */
export type TrustService = 'local' | 'remote';

/** A server, and one repository of its owner. */
export interface TestRepository {
  readonly bed: Bed;
  readonly gun: string;
  readonly owner: NotaryCli;
  /** The signing Secret of the owner. */
  readonly secret: Record<string, string>;
}

/** What is odd: differences from a run that signs {@link TAG}. */
export interface Situation {
  readonly run?: Partial<SignerRunOptions>;
  /** Puts a proxy before the server. */
  readonly rule?: ProxyOptions['rule'];
  /** Puts right what would trouble others; called when the signer has ended. */
  readonly mend?: () => Promise<void> | void;
}

/** What an independent client sees of {@link TAG} afterwards. */
export type Sight = 'signed' | 'not signed' | 'nothing: the repository is unreadable';

/** A line of the catalogue: what goes wrong, what is said of it, and what is left. */
export interface Row {
  readonly what: string;
  /** Whether it needs a repository to itself, since it changes it; else all share one. */
  readonly changes?: boolean;
  readonly arrange: (repository: TestRepository) => Promise<Situation> | Situation;
  /** The code of the failure; undefined: it is signed. */
  readonly code?: string;
  /** Something in the log, or in the last words. */
  readonly says?: RegExp;
  readonly fix?: RegExp;
  /** How often we published; `[least, most]` where that is not certain. */
  readonly attempts: number | readonly [number, number];
  readonly then: Sight;
}

/** What every row signs, unless it says otherwise. */
export const TAG = '1';
export const SHA256 = 'c'.repeat(64);
export const LENGTH = 7;
/** What the owner signed before; nobody may lose it. */
export const OLD_TAG = 'v0';
const OLD_SHA256 = '0'.repeat(64);

/** A server with the trust service; its bed is to be stopped. */
export function startServer(service: TrustService): Promise<Bed> {
  return startBed(service === 'remote' ? { signer: true } : {});
}

/** A repository in which something was signed before, by somebody else. */
export async function makeTestRepository(bed: Bed, name: string): Promise<TestRepository> {
  const gun = `registry.example.test/catalogue/${name}`;
  const owner = await initRepository(bed, gun, bed.cli(`owner-${name}`));
  await owner.addHash(gun, OLD_TAG, LENGTH, OLD_SHA256);
  await owner.publish(gun);
  return { bed, gun, owner, secret: await secretOf(bed, owner, gun) };
}

/** The report of a build of that repository. */
export function reportOf(gun: string, ...tags: readonly string[]): string {
  return reportToml(
    (tags.length > 0 ? tags : [TAG]).map((tag) => `${gun}:${tag}`),
    SHA256,
    LENGTH,
  );
}

/** The owner's key in a delegation of its own, which is all that the signer may sign. */
export async function delegate(
  { bed, gun, owner }: TestRepository,
  role: string,
  key: { readonly publicFile: string; readonly pem: string },
  paths?: readonly string[],
): Promise<Record<string, string>> {
  await owner.delegationAdd(gun, role, key.publicFile, paths);
  await owner.publish(gun);
  return { 'delegation.key': key.pem, 'ca.crt': bed.authority.certificatePem };
}
