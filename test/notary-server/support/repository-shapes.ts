/** The shapes of repositories that our signer publishes to. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expire } from '../../support/role-file.ts';
import {
  delegationKey,
  publish,
  sign,
  type DelegationKey,
  type ShapedRepository,
} from '../../support/shaped-repository.ts';

/** Makes a blank repository one of some shape. */
export type Shape = (blank: ShapedRepository) => Promise<ShapedRepository>;

const RELEASES = 'targets/releases';

/** With the snapshot key on the server, and a tag that the owner has signed in `targets`. */
async function initialise(blank: ShapedRepository): Promise<ShapedRepository> {
  await blank.notary.init(blank.gun);
  await blank.notary.rotateSnapshotToServer(blank.gun);
  await publish(blank, 'first');
  return blank;
}

/** Gives a delegation a key, and publishes that. */
async function delegate(
  { notary, gun }: ShapedRepository,
  role: string,
  { publicFile }: DelegationKey,
  paths?: readonly string[],
): Promise<void> {
  await notary.delegationAdd(gun, role, publicFile, paths);
  await notary.publish(gun);
}

async function withDelegation(
  blank: ShapedRepository,
  role: string,
  kind: 'key' | 'certificate' = 'key',
  prefix = '',
): Promise<ShapedRepository> {
  await initialise(blank);
  const key = await delegationKey(blank, 'builder', kind);
  await delegate(blank, role, key, prefix === '' ? undefined : [prefix, 'other-']);
  return { ...blank, delegations: [role], keys: key.keyFile, prefix };
}

export const SHAPES: Readonly<Record<string, Shape>> = {
  'targets alone': initialise,

  'a snapshot key that was the owner’s, and is the server’s now': async (blank) => {
    await blank.notary.init(blank.gun);
    await publish(blank, 'first');
    const refused = await sign(blank, 'too-early');
    if (refused.receipt.code !== 'SNAPSHOT_KEY_NOT_ON_SERVER') throw new Error(refused.stdout);
    await blank.notary.rotateSnapshotToServer(blank.gun);
    return blank;
  },

  'a root that was rotated, and a targets key': async (blank) => {
    await initialise(blank);
    await blank.notary.rotateKey(blank.gun, 'root');
    await blank.notary.rotateKey(blank.gun, 'targets');
    await blank.notary.rotateKey(blank.gun, 'root');
    return blank;
  },

  'targets with metadata and hashes that we do not write': async (blank) => {
    await initialise(blank);
    const file = join(blank.directory, 'custom.json');
    await writeFile(file, '{"a":{"b":null,"c":"\\"","Ａ":1,"😀":2},"z":[1,-2,true]}');
    const sha512 = 'ab'.repeat(64);
    await publish(blank, 'customised', 'targets', ['--custom', file, '--sha512', sha512]);
    return blank;
  },

  "docker's delegations": async (blank) => {
    const { docker, gun } = blank;
    const { publicKeyFile, privateKeyFile } = await docker.keyGenerate('alice');
    await docker.signerAdd('alice', publicKeyFile, gun);
    const keys = { 'alice.key': await readFile(privateKeyFile, 'utf8') };
    return { ...blank, keys, delegations: ['targets/alice', RELEASES] };
  },

  'a delegation by certificate': (blank) => withDelegation(blank, RELEASES, 'certificate'),

  'a delegation by a bare key, that docker does not look into': (blank) =>
    withDelegation(blank, 'targets/builds'),

  'a delegation of some tags alone': (blank) => withDelegation(blank, RELEASES, 'key', 'v'),

  'a delegation that has delegations of its own': async (blank) => {
    const repository = await withDelegation(blank, RELEASES);
    const nested = `${RELEASES}/nightly`;
    await delegate(repository, nested, await delegationKey(repository, 'nightly'));
    await publish(repository, 'last-night', nested);
    return repository;
  },

  'a delegation that was taken away and came back': async (blank) => {
    const repository = await withDelegation(blank, RELEASES);
    const { notary, gun } = repository;
    await sign(repository, 'gone');
    await notary.delegationRemove(gun, RELEASES);
    await notary.publish(gun);
    await notary.delegationAdd(gun, RELEASES, join(repository.directory, 'builder.pub'));
    await notary.publish(gun);
    return repository;
  },

  'a delegation that had expired': async (blank) => {
    const repository = await withDelegation(blank, RELEASES);
    await publish(repository, 'in-time', RELEASES);
    await expire(repository, RELEASES, 'builder');
    return repository;
  },

  'a delegation whose key was replaced, as our error says': async (blank) => {
    const repository = await withDelegation(blank, RELEASES);
    const { notary, gun } = repository;
    await sign(repository, 'by-the-old-key');
    await notary.delegationRemove(gun, RELEASES);
    await notary.publish(gun);
    const key = await delegationKey(repository, 'successor');
    await delegate(repository, RELEASES, key);
    const successor = { ...repository, keys: key.keyFile };
    const refused = await sign(successor, 'too-early');
    if (!/`notary -s \S+ witness \S+ targets\/releases && /.test(refused.lastLine)) {
      throw new Error(refused.stdout);
    }
    await notary.witness(gun, [RELEASES]);
    await notary.publish(gun);
    return successor;
  },
};
