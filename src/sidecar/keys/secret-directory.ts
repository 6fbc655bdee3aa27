import { X509Certificate } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CA_FILE } from '../../shared/names.ts';
import { readPemCertificates } from '../../shared/pem.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { readPassword } from './password.ts';
import { readBytes, readText, unreadable } from '../io/text-file.ts';

/** Names of the password: that of kpack's RFC, and that of kpack itself. */
const PASSWORD_FILES = ['notary-password.txt', 'password'] as const;

/**
 * Reads the mounted signing Secret: key files, password and CA certificates (PEM).
 *
 * @throws SigningError FILE_UNREADABLE, KEY_PASSWORD_CONFLICT, CA_INVALID
 */
export async function readSigningSecret(directory: string) {
  const entries = await readdir(directory).catch((cause: unknown) => {
    throw unreadable(directory, cause);
  });
  const names = entries.filter((name) => name.endsWith('.key')).sort();
  const keyFiles = await Promise.all(
    names.map(async (name) => ({ name, pem: (await readText(join(directory, name))) ?? '' })),
  );
  const files = await Promise.all(PASSWORD_FILES.map((name) => readBytes(join(directory, name))));
  const [first, ...others] = files.filter((bytes) => bytes !== undefined);
  const password = first && readPassword([first, ...others]);
  if (first && !password) {
    throw new SigningError(
      'KEY_PASSWORD_CONFLICT',
      `${PASSWORD_FILES.join(' and ')} in ${directory} differ`,
    );
  }
  const caFile = join(directory, CA_FILE);
  const ca = await readText(caFile);
  return {
    keyFiles,
    password,
    ca: ca === undefined ? undefined : readCertificates(ca, caFile),
  };
}

/**
 * Reads a file of CA certificates.
 *
 * @throws SigningError CA_INVALID, FILE_UNREADABLE
 */
export async function readCaFile(file: string): Promise<string> {
  const pem = await readText(file);
  if (pem === undefined) throw new SigningError('CA_INVALID', `${file} does not exist`);
  return readCertificates(pem, file);
}

/**
 * The certificates of a file, in the form that OpenSSL reads: it stops without a word at what it
 * cannot read, and one broken certificate would break every TLS connection, with OpenSSL's words for
 * it.
 */
function readCertificates(pem: string, file: string): string {
  const { certificates, damaged } = readPemCertificates(pem);
  const [lost] = damaged;
  if (lost) {
    const message = `the certificate in line ${lost.line} of ${file} ${lost.what}`;
    throw new SigningError('CA_INVALID', message);
  }
  if (certificates.length === 0) {
    throw new SigningError('CA_INVALID', `${file} holds no PEM certificate`);
  }
  for (const [i, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch (cause) {
      const which = `certificate ${i + 1} of ${certificates.length}`;
      throw new SigningError('CA_INVALID', `${which} in ${file} cannot be read`, { cause });
    }
  }
  return certificates.join('');
}
