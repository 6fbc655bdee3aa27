/** Many signers of one repository at once, and notary CLIs beside them. */
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { startBed, type Bed } from '../bed/bed.ts';
import type { NotaryCli } from '../bed/notary-cli.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { reportToml, runSigner, type SignerRun } from '../support/signer-run.ts';
import { startAtGate } from './start-gate.ts';

/** A race to run. */
export interface RaceOptions {
  /** How many processes of the signer, each with a tag of its own. */
  readonly signers: number;
  /** How many notary CLIs publish a tag each beside them; they do not retry, so that we do. */
  readonly clis?: number;
  readonly storage: 'memory' | 'postgres';
}

/** How a race went. */
export interface RaceOutcome {
  readonly runs: readonly SignerRun[];
  /** Tags that were to be signed, and those that `notary list` shows, as `tag sha256 length`. */
  readonly wanted: readonly string[];
  readonly listed: readonly string[];
  /** From the release of the signers to the end of the last one, in milliseconds. */
  readonly milliseconds: number;
  /** What the waiting signers take of the machine's memory, each, in MiB. */
  readonly memory: number;
}

const GUN = 'registry.example.test/demo/busy';

/** Starts all signers, releases them at once when each of them waits, and lets all end. */
export async function race({ signers, clis = 0, storage }: RaceOptions): Promise<RaceOutcome> {
  const bed = await startBed({ storage, signer: storage === 'postgres' });
  try {
    const owner = await initRepository(bed, GUN);
    const secret = await secretOf(bed, owner);
    const freeBefore = freemem();
    const gate = await startAtGate(bed.directory, signers, (number, options) =>
      runSigner({
        ...options,
        notaryUrl: bed.notary.url,
        secret,
        report: reportToml([`${GUN}:b${number}`], sha256(number), number),
      }),
    );
    const memory = (freeBefore - freemem()) / signers / 2 ** 20;
    const others = await Promise.all(
      range(clis).map((number) => otherPublisher(bed, owner, number)),
    );
    const [{ runs, milliseconds }] = await Promise.all([
      gate.release(),
      ...others.map((publish) => publish()),
    ]);
    const listed = await bed.cli('judge').list(GUN);
    return {
      runs,
      wanted: [
        ...range(signers).map((number) => line(`b${number}`, number)),
        ...range(clis).map((number) => line(`c${number}`, number)),
      ].sort(),
      listed: listed.map(({ tag, ...target }) => `${tag} ${target.sha256} ${target.length}`).sort(),
      milliseconds,
      memory: Math.round(memory),
    };
  } finally {
    await bed.stop();
  }
}

/** A notary CLI with the owner's keys and a tag that is staged; publishes until it is let in. */
async function otherPublisher(bed: Bed, owner: NotaryCli, number: number) {
  const cli = bed.cli(`other-${number}`);
  await mkdir(cli.privateKeyDirectory, { recursive: true });
  for (const key of await readdir(owner.privateKeyDirectory)) {
    await copyFile(join(owner.privateKeyDirectory, key), join(cli.privateKeyDirectory, key));
  }
  await cli.addHash(GUN, `c${number}`, number, sha256(number));
  return async (): Promise<void> => {
    while ((await cli.run(['publish', GUN])).code !== 0);
  };
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function sha256(number: number): string {
  return number.toString(16).padStart(64, '0');
}

function line(tag: string, number: number): string {
  return `${tag} ${sha256(number)} ${number}`;
}
