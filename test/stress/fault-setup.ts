/** Places where one tag after another is signed with faults on the way. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { startBed, type Bed } from '../bed/bed.ts';
import { createFaultProxy, type FaultProxy } from '../bed/fault-proxy.ts';
import { initRepository, rootPins, secretOf } from '../bed/notary-repository.ts';
import { reportToml, runSigner, type SignerRun } from '../support/signer-run.ts';

/** A repository at servers of its own, and what a signer of it needs. */
export interface FaultSetup {
  readonly name: SetupName;
  readonly bed: Bed;
  readonly faults: FaultProxy;
  readonly gun: string;
  /** A tag that was signed before any fault. */
  readonly oldTag: SignedTag;
  /** Ids of the repository's root certificates, as its owner knows them. */
  readonly pins: readonly string[];
  /** Runs the signer for one tag, the faults between it and the servers. */
  readonly sign: (tag: SignedTag, deadline: number, killer?: AbortSignal) => Promise<SignerRun>;
  stop(): Promise<void>;
}

/** A tag and the image under it. */
export interface SignedTag {
  readonly tag: string;
  readonly sha256: string;
  readonly length: number;
}

/** How the repository is made: its owner signs targets; or signers do, under docker's delegations, with tokens. */
export const SETUPS = ['targets', 'delegations'] as const;
export type SetupName = (typeof SETUPS)[number];

const GUN = 'registry.example.test/demo/app';
const ROBOT = { username: 'robot', password: 'canary-user-password' } as const;

/**
 * Starts a setup. Neither keys nor metadata are in the notary-server, so that it may be killed; the
 * old tag is signed by the signer itself, in a run without a fault.
 */
export async function startSetup(name: SetupName): Promise<FaultSetup> {
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
    const { receipt, stdout } = await sign(oldTag, 30);
    if (receipt.result !== 'signed')
      throw new Error(`without a fault it was not signed\n${stdout}`);
    const pins = await rootPins(trust, GUN);
    return { name, bed, faults, gun: GUN, oldTag, pins, sign, stop };
  } catch (error) {
    await stop();
    throw error;
  }
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
