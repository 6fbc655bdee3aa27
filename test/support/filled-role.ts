/**
 * Targets and delegations of any size, signed and published without the signer, which would take a
 * report for them.
 */
import { randomBytes } from 'node:crypto';
import type { Bed } from '../bed/bed.ts';
import { readPassword } from '../../src/sidecar/keys/password.ts';
import type { SigningKey } from '../../src/sidecar/tuf/publication.ts';
import { openKeys } from './private-key.ts';
import { call } from './role-file.ts';

/** What a role is to hold. */
export interface Filling {
  readonly role: string;
  /** The signing Secret of a key of the role. */
  readonly secret: Readonly<Record<string, string>>;
  /** How many tags there are. */
  readonly tags: number;
  /** Must be later than what is there. */
  readonly version: number;
  /** How many signatures that are not valid stand before the one that is; none by default. */
  readonly invalid?: number;
}

const EXPIRES = '2029-11-22T12:00:00Z';

/** The names of the tags of a filled role, in order. */
export function filledTag(index: number): string {
  return `filled-${String(index).padStart(7, '0')}`;
}

/** The bytes of such a role, as Notary's server would write them. */
export async function filledRole({
  secret,
  tags,
  version,
  invalid = 0,
}: Omit<Filling, 'role'>): Promise<Buffer> {
  const key = keyOf(secret);
  const sha256 = randomBytes(32).toString('base64');
  const entries = Array.from(
    { length: tags },
    (_, i) => `"${filledTag(i)}":{"hashes":{"sha256":"${sha256}"},"length":${1000 + i}}`,
  );
  const signed =
    '{"_type":"Targets","delegations":{"keys":{},"roles":[]},' +
    `"expires":"${EXPIRES}","targets":{${entries.join(',')}},"version":${version}}`;
  const signature = async (text: string) => ({
    keyid: key.canonicalId,
    method: key.method,
    sig: Buffer.from(await key.sign(Buffer.from(text))).toString('base64'),
  });
  const wrong = await signature('something else');
  const others = Array.from({ length: invalid }, () => wrong);
  const signatures = JSON.stringify([...others, await signature(signed)]);
  return Buffer.from(`{"signed":${signed},"signatures":${signatures}}`);
}

/** Publishes the role to the server of the bed; resolves with the number of bytes of its file. */
export async function publishFilled(bed: Bed, gun: string, filling: Filling): Promise<number> {
  const bytes = await filledRole(filling);
  const form = new FormData();
  form.append('files', new Blob([bytes]), filling.role);
  await call(`${bed.notary.url}/v2/${gun}/_trust/tuf/`, bed.authority.certificatePem, form);
  return bytes.length;
}

function keyOf(secret: Readonly<Record<string, string>>): SigningKey {
  const files = Object.entries(secret).filter(([name]) => name.endsWith('.key'));
  const password = secret['password'] ?? secret['notary-password.txt'];
  const opened = openKeys(
    files.map(([name, pem]) => ({ name, pem })),
    password === undefined ? undefined : readPassword([Buffer.from(password)]),
  );
  const [key] = opened.keys;
  if (!key) throw new Error('the Secret holds no key');
  return key;
}
