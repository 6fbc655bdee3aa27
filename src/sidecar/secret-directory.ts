import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CA_FILE } from '../shared/names.ts';
import { SigningError } from '../shared/signing-error.ts';
import type { KeyFile } from './signing-key.ts';

/** What a mounted signing Secret holds. */
export interface SigningSecret {
  readonly keyFiles: readonly KeyFile[];
  readonly password: string | undefined;
  /** PEM. */
  readonly ca: string | undefined;
}

/** User name and password for a server. */
export interface Credentials {
  readonly host: string;
  readonly username: string;
  readonly password: string;
}

/** Names of the password: that of kpack's RFC, and that of kpack itself. */
const PASSWORD_FILES = ['notary-password.txt', 'password'] as const;

/**
 * Reads the mounted signing Secret. The password is trimmed, as kpack does.
 *
 * @throws SigningError KEY_MISSING when there is no such directory; KEY_PASSWORD_CONFLICT; CA_INVALID
 */
export async function readSigningSecret(directory: string): Promise<SigningSecret> {
  const entries = await readdir(directory).catch((cause: unknown) => {
    throw new SigningError('KEY_MISSING', `${directory} cannot be read`, { cause });
  });
  const names = entries.filter((name) => name.endsWith('.key')).sort();
  const keyFiles = await Promise.all(
    names.map(async (name) => ({ name, pem: await readFile(join(directory, name), 'utf8') })),
  );
  const passwords = await Promise.all(
    PASSWORD_FILES.map((name) => readOptional(join(directory, name))),
  );
  const given = new Set(passwords.flatMap((text) => (text === undefined ? [] : [text.trim()])));
  if (given.size > 1) {
    throw new SigningError(
      'KEY_PASSWORD_CONFLICT',
      `${PASSWORD_FILES.join(' and ')} in ${directory} differ`,
    );
  }
  const ca = await readOptional(join(directory, CA_FILE));
  if (ca !== undefined) checkCertificate(ca, join(directory, CA_FILE));
  return { keyFiles, password: [...given][0], ca };
}

/**
 * Reads a file of CA certificates.
 *
 * @throws SigningError CA_INVALID
 */
export async function readCaFile(file: string): Promise<string> {
  const pem = await readOptional(file);
  if (pem === undefined) throw new SigningError('CA_INVALID', `${file} does not exist`);
  checkCertificate(pem, file);
  return pem;
}

/**
 * Reads a mounted basic-auth Secret.
 *
 * @throws SigningError CREDENTIALS_INVALID
 */
export async function readCredentials(host: string, directory: string): Promise<Credentials> {
  const [username, password] = await Promise.all(
    ['username', 'password'].map((name) => readOptional(join(directory, name))),
  );
  if (!username || password === undefined) {
    throw new SigningError(
      'CREDENTIALS_INVALID',
      `the credentials for ${host} in ${directory} lack ${username ? 'password' : 'username'}`,
    );
  }
  return { host, username, password };
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
}

function checkCertificate(pem: string, file: string): void {
  if (!/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/.test(pem)) {
    throw new SigningError('CA_INVALID', `${file} holds no PEM certificate`);
  }
}
