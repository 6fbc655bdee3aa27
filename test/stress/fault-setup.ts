/** Places where one tag after another is signed with faults on the way. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { startBed, type Bed } from '../bed/bed.ts';
import { createFaultProxy, type FaultProxy } from '../bed/fault-proxy.ts';
import { initRepository, rootPins, secretOf } from '../bed/notary-repository.ts';
import type { Service } from '../bed/service.ts';
import { reportToml, runSigner, type SignerRun } from '../support/signer-run.ts';

/** What is signed in runs with faults, and who judges it. */
export interface FaultSetup {
  readonly faults: FaultProxy;
  /** Servers that may be killed, by their names in calls. */
  readonly servers: Readonly<Record<string, Pick<Service, 'kill' | 'restart'>>>;
  /** Was signed before any fault. */
  readonly oldTag: SignedTag;
  /** A tag that was never signed. */
  readonly newTag: () => Promise<SignedTag>;
  /** Runs the signer for one tag, the faults between it and the servers. */
  readonly sign: (tag: SignedTag, deadline: number, killer?: AbortSignal) => Promise<SignerRun>;
  /**
   * What independent clients do not confirm: all tags, the last of them most carefully.
   *
   * @param part one kind of signatures; both by default
   */
  readonly doubts: (tags: readonly SignedTag[], part?: 'v2') => Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** A tag and the image under it. */
export interface SignedTag {
  readonly tag: string;
  readonly sha256: string;
  readonly length: number;
}

/** How the repository is made: its owner signs targets; or signers do, under docker's delegations, with tokens. */
export const V1_SETUPS = ['targets', 'delegations'] as const;
export type V1SetupName = (typeof V1_SETUPS)[number];

const GUN = 'registry.example.test/demo/app';
const ROBOT = { username: 'robot', password: 'canary-user-password' } as const;

/**
 * Starts a setup. Neither keys nor metadata are in the notary-server, so that it may be killed; the
 * old tag is signed by the signer itself, in a run without a fault.
 */
export async function startV1Setup(name: V1SetupName): Promise<FaultSetup> {
  const { bed, faults } = name === 'targets' ? await open() : await withTokens();
  const stop = async (): Promise<void> => {
    await Promise.all([faults.stop(), bed.stop()]);
  };
  try {
    const url = await faults.before('notary', bed.notary.url);
    const { secret, trust } =
      name === 'targets' ? await ownedRepository(bed) : await delegated(bed);
    const credentials = { [new URL(url).host]: ROBOT };
    const sign: FaultSetup['sign'] = ({ tag, sha256, length }, deadline, killer) =>
      runSigner({
        directory: bed.directory,
        notaryUrl: url,
        secret,
        report: reportToml([`${GUN}:${tag}`], sha256, length),
        ...(name === 'delegations' && { credentials }),
        args: [`--deadline=${deadline}`],
        timeLimit: deadline * 1000 + 30_000,
        ...(killer && { killer }),
      });
    const oldTag = { tag: 'old', sha256: '0'.repeat(64), length: 1 };
    await signFirst(sign, oldTag);
    const pins = await rootPins(trust, GUN);
    let tags = 0;
    return {
      ...{ faults, oldTag, sign, stop },
      servers: { notary: bed.notary },
      newTag: () => Promise.resolve(numbered((tags += 1))),
      doubts: (tags) => v1Doubts(bed, GUN, pins, tags),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @throws Error when it is not signed */
export async function signFirst(sign: FaultSetup['sign'], tag: SignedTag): Promise<void> {
  const { receipt, stdout } = await sign(tag, 30);
  if (receipt.result !== 'signed') throw new Error(`without a fault it was not signed\n${stdout}`);
}

/**
 * What clients that are new to the repository do not confirm: all tags one without a pin, the last
 * one also a client with the right pin.
 */
export async function v1Doubts(
  bed: Bed,
  gun: string,
  pins: readonly string[],
  tags: readonly SignedTag[],
): Promise<readonly string[]> {
  const judge = bed.cli('judge');
  const [last] = tags.slice(-1);
  const [listed, pinned] = await Promise.allSettled([
    judge.list(gun),
    last && judge.lookup(gun, last.tag, pins),
  ]);
  if (listed.status === 'rejected') return [`notary list: ${String(listed.reason)}`];
  if (pinned.status === 'rejected') return [`notary lookup, pinned: ${String(pinned.reason)}`];
  const wanted = tags.map((target) => JSON.stringify(target));
  const found = listed.value.map(({ role: _, ...target }) => JSON.stringify(target));
  return [
    ...wanted.filter((one) => !found.includes(one)).map((one) => `notary list has no ${one}`),
    ...(last && JSON.stringify({ tag: last.tag, ...pinned.value }) !== JSON.stringify(last)
      ? [`notary lookup, pinned, finds ${JSON.stringify(pinned.value)} for ${last.tag}`]
      : []),
  ];
}

/** A tag of its own for each number. */
function numbered(number: number): SignedTag {
  return { tag: `t${number}`, sha256: number.toString(16).padStart(64, 'a'), length: number + 2 };
}

async function open() {
  const bed = await startBed({ signer: true, storage: 'postgres' });
  return { bed, faults: createFaultProxy(bed.authority) };
}

/** Everybody may pull, since the notary CLI reads as nobody. */
async function withTokens() {
  let faults: FaultProxy | undefined;
  const bed = await startBed({
    signer: true,
    storage: 'postgres',
    auth: {
      accounts: {
        [ROBOT.username]: { password: ROBOT.password, actions: ['pull', 'push', '*'] },
      },
      anonymous: ['pull'],
      realm: async (realm, authority) => {
        faults = createFaultProxy(authority);
        const { origin, pathname } = new URL(realm);
        return (await faults.before('tokens', origin)) + pathname;
      },
    },
  });
  return { bed, faults: faults ?? createFaultProxy(bed.authority) };
}

async function ownedRepository(bed: Bed) {
  const owner = await initRepository(bed, GUN);
  return { secret: await secretOf(bed, owner), trust: dirname(owner.privateKeyDirectory) };
}

async function delegated(bed: Bed) {
  const docker = bed.docker('owner', ROBOT);
  const { publicKeyFile, privateKeyFile } = await docker.keyGenerate('alice');
  await docker.signerAdd('alice', publicKeyFile, GUN);
  const secret = {
    'alice.key': await readFile(privateKeyFile, 'utf8'),
    password: docker.passphrase,
    'ca.crt': bed.authority.certificatePem,
  };
  return { secret, trust: join(bed.directory, 'owner', 'trust') };
}
