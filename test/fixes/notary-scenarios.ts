/** Repositories that are not in order, and what their owners run with notary and docker. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bed } from '../bed/bed.ts';
import type { NotaryCli } from '../bed/notary-cli.ts';
import { FORWARD, startProxy } from '../bed/proxy.ts';
import {
  forge,
  forger,
  inMilliseconds,
  makeDelegationKey,
  ownersKey,
  passed,
} from '../support/catalogue/forgery.ts';
import {
  delegate,
  makeTestRepository,
  reportOf,
  TAG,
  type TestRepository,
} from '../support/catalogue/test-repository.ts';
import { secretOf } from '../bed/notary-repository.ts';
import { runSigner, type SignerRunOptions } from '../support/signer-run.ts';
import { demandSigned, notaryShell, printedBy, type Played, type Scenario } from './scenario.ts';

const RELEASES = 'targets/releases';
/** Long enough for a server to take what expires then. */
const SHORT_LIFE_MS = 2500;

let repositories = 0;

function sign({ bed, gun, secret }: TestRepository, options: Partial<SignerRunOptions> = {}) {
  const defaults = { directory: bed.directory, notaryUrl: bed.notary.url, secret };
  return runSigner({ ...defaults, report: reportOf(gun), ...options });
}

/** The owner's shell, and a run that has to sign with what the owner has by then. */
async function byOwner(
  repository: TestRepository,
  printed: string,
  more: Partial<Played> = {},
): Promise<Played> {
  const { bed, gun, owner } = repository;
  return {
    printed,
    shell: await notaryShell(bed, owner),
    demandCured: async () => {
      // An owner who began anew has an older targets key as well.
      const keys = await ownersKeys(owner);
      demandSigned(
        await sign(repository, { secret: { ...(await secretOf(bed, owner, gun)), ...keys } }),
      );
    },
    ...more,
  };
}

/** @param theBed the bed in which all of them are played */
export function notaryScenarios(theBed: () => Promise<Bed>): readonly Scenario[] {
  const newRepository = async () => makeTestRepository(await theBed(), `fixes-${repositories++}`);
  return [
    {
      command: 'notary -s … init … && notary -s … key rotate … snapshot -r',
      what: 'a repository that nobody initialised',
      play: async () => {
        const bed = await theBed();
        const gun = 'registry.example.test/fixes/new';
        const repository = { ...(await newRepository()), gun, owner: bed.cli('owner-new') };
        return byOwner(repository, printedBy(await sign(repository), 'REPOSITORY_NOT_INITIALISED'));
      },
    },
    {
      command: 'notary -s … key rotate … snapshot -r',
      what: 'a snapshot key that is with the owner',
      play: async () => {
        const bed = await theBed();
        const gun = 'registry.example.test/fixes/local-snapshot';
        const owner = bed.cli('owner-local-snapshot');
        await owner.init(gun);
        await owner.publish(gun);
        const repository = { bed, gun, owner, secret: await secretOf(bed, owner, gun) };
        return byOwner(repository, printedBy(await sign(repository), 'SNAPSHOT_KEY_NOT_ON_SERVER'));
      },
    },
    {
      command:
        'notary -s … delete … --remote && notary -s … init … && notary -s … key rotate … snapshot -r',
      what: 'a root that has expired',
      play: async () => {
        const repository = await newRepository();
        await expire(repository, 'root');
        return byOwner(repository, printedBy(await sign(repository), 'METADATA_EXPIRED'));
      },
    },
    {
      command: 'notary -s … witness … … && notary -s … publish …',
      what: 'a delegation whose keys were replaced after it was signed',
      play: async () => {
        const repository = await newRepository();
        const { bed, gun, owner } = repository;
        const before = makeDelegationKey(repository, `before-${repositories}`);
        demandSigned(
          await sign(repository, {
            secret: await delegate(repository, RELEASES, before),
            report: reportOf(gun, 'kept'),
          }),
        );
        const after = makeDelegationKey(repository, `after-${repositories}`);
        const secret = await delegate(repository, RELEASES, after);
        await owner.delegationRemove(gun, RELEASES, forger(before.pem).canonicalId);
        await owner.publish(gun);
        const holder = bed.cli(`holder-${repositories}`);
        await holder.keyImport(after.file, 'holder');
        return {
          printed: printedBy(await sign(repository, { secret }), 'METADATA_INVALID'),
          shell: await notaryShell(bed, holder),
          demandCured: async () => {
            demandSigned(await sign(repository, { secret }));
            if (!(await bed.cli('judge').lookup(gun, 'kept'))) throw new Error('a tag is lost');
          },
        };
      },
    },
    {
      command:
        'notary -s … delegation add … targets/releases … --all-paths && notary -s … publish …',
      what: 'a key that no role lists',
      play: async () => {
        const repository = await newRepository();
        const { bed, gun, owner } = repository;
        const key = makeDelegationKey(repository, `unlisted-${repositories}`);
        const secret = { 'unlisted.key': key.pem, 'ca.crt': bed.authority.certificatePem };
        return {
          printed: printedBy(await sign(repository, { secret }), 'KEY_NOT_IN_ROLE'),
          fill: { url: bed.notary.url, gun, 'public key file': key.publicFile },
          shell: await notaryShell(bed, owner),
          demandCured: async () => demandSigned(await sign(repository, { secret })),
        };
      },
    },
    {
      command: 'docker trust signer add --key … … …',
      what: 'a key that docker made, and that is not one of the signers',
      play: async () => {
        const bed = await theBed();
        const gun = 'registry.example.test/fixes/docker';
        const docker = bed.docker('owner-docker');
        const [first, second] = [
          await docker.keyGenerate('first'),
          await docker.keyGenerate('second'),
        ];
        await docker.signerAdd('first', first.publicKeyFile, gun);
        const secret = {
          'second.key': await readFile(second.privateKeyFile, 'utf8'),
          password: docker.passphrase,
          'ca.crt': bed.authority.certificatePem,
        };
        const repository = { bed, gun, owner: bed.cli('judge'), secret };
        const config = join(bed.directory, 'owner-docker');
        return {
          printed: printedBy(await sign(repository), 'KEY_NOT_IN_ROLE'),
          fill: { 'public key file': second.publicKeyFile, name: 'second', gun },
          shell: {
            directory: config,
            env: {
              DOCKER_CONFIG: config,
              DOCKER_CONTENT_TRUST_SERVER: bed.notary.url,
              DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE: docker.passphrase,
              DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: docker.passphrase,
            },
          },
          demandCured: async () => demandSigned(await sign(repository)),
        };
      },
    },
    {
      command: 'notary -s … list …',
      what: 'a proxy that garbles the root: notary, which goes past it, lists the repository',
      play: async (t) => {
        const repository = await newRepository();
        const { bed, gun } = repository;
        const body = '{"signed":{},"signatures":[]}';
        const proxy = await startProxy({
          authority: bed.authority,
          target: bed.notary.url,
          rule: ({ path }) =>
            /\/root\.(?:[0-9a-f]{64}\.)?json$/.test(path)
              ? { kind: 'answer', status: 200, body }
              : FORWARD,
        });
        t.teardown(() => proxy.stop());
        const run = await sign(repository, { notaryUrl: proxy.url });
        return byOwner(repository, printedBy(run, 'METADATA_INVALID'), {
          fill: { url: bed.notary.url, gun },
          // Of somebody who holds no copy, which notary would list instead.
          shell: await notaryShell(bed, bed.cli('reader')),
        });
      },
    },
    {
      command: 'notary -s … lookup … …',
      what: 'an answer that could not be read back: notary tells whether the tag is signed',
      play: async (t) => {
        const repository = await newRepository();
        const { bed, gun } = repository;
        let isPosted = false;
        const proxy = await startProxy({
          authority: bed.authority,
          target: bed.notary.url,
          rule: ({ method }) => {
            if (isPosted) return { kind: 'answer', status: 503 };
            if (method !== 'POST') return FORWARD;
            isPosted = true;
            return { kind: 'forward' };
          },
        });
        t.teardown(() => proxy.stop());
        const run = await sign(repository, { notaryUrl: proxy.url });
        return byOwner(repository, printedBy(run, 'READ_BACK_FAILED'), {
          fill: { url: bed.notary.url, gun, tag: TAG },
        });
      },
    },
  ];
}

async function ownersKeys({ privateKeyDirectory }: NotaryCli): Promise<Record<string, string>> {
  const names = await readdir(privateKeyDirectory);
  const files = names.map(async (name) => [
    name,
    await readFile(join(privateKeyDirectory, name), 'utf8'),
  ]);
  return Object.fromEntries(await Promise.all(files)) as Record<string, string>;
}

/** Has a role signed by its owner for a short life, and waits until that is over. */
async function expire(repository: TestRepository, role: 'root' | 'targets'): Promise<void> {
  const end = inMilliseconds(SHORT_LIFE_MS);
  await forge(repository, role, await ownersKey(repository, role), {
    content: (signed) => (signed['expires'] = `${end.toISOString().slice(0, 19)}Z`),
  });
  await passed(end);
}
