import { X509Certificate } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readPemCertificates } from '../../shared/pem.ts';
import type { Log } from '../io/log.ts';
import type { Environment } from './proxy-settings.ts';
import { readText } from '../io/text-file.ts';

interface TrustFile {
  readonly certificates: readonly string[];
  /** Why a certificate in it is not used: a sentence each. */
  readonly problems: readonly string[];
}

/** Problems of this many certificates say enough. */
const MOST_PROBLEMS = 10;

/**
 * The CA certificates that SSL_CERT_FILE and SSL_CERT_DIR name, PEM, each once. As in OpenSSL the
 * latter may be several directories, separated by colons; as in Go every file in them counts, and a
 * file that cannot be read, or holds none, is passed over. A certificate that cannot be read, and a
 * variable that gives nothing, is a warning: where a certificate is missing the error comes from the
 * server that lacks it.
 */
export async function readEnvironmentRoots(
  environment: Environment,
  log: Pick<Log, 'warn'>,
): Promise<readonly string[]> {
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: directories } = environment;
  const ofFile = file ? [await readTrustFile(file)] : [];
  const names = directories ? await Promise.all(directories.split(':').map(filesOf)) : [];
  const ofDirectories = await Promise.all(names.flat().map(readTrustFile));
  const all = [...ofFile, ...ofDirectories];
  for (const problem of all.flatMap(({ problems }) => problems).slice(0, MOST_PROBLEMS)) {
    log.warn(problem);
  }
  for (const [variable, value, files] of [
    ['SSL_CERT_FILE', file, ofFile],
    ['SSL_CERT_DIR', directories, ofDirectories],
  ] as const) {
    const isEmpty = files.every(({ certificates }) => certificates.length === 0);
    if (!value || !isEmpty) continue;
    log.warn(`${variable} is ${value}, and no CA certificate can be read there`);
  }
  return [...new Set(all.flatMap(({ certificates }) => certificates))];
}

async function filesOf(directory: string): Promise<readonly string[]> {
  if (directory === '') return [];
  const names = await readdir(directory).catch(() => []);
  return names.map((name) => join(directory, name));
}

async function readTrustFile(file: string): Promise<TrustFile> {
  const text = await readText(file).catch(() => undefined);
  const { certificates, damaged } = readPemCertificates(text ?? '');
  const readable = certificates.filter(isCertificate);
  const unreadable = certificates.length - readable.length;
  return {
    certificates: readable,
    problems: [
      ...damaged.map(({ line, what }) => `the certificate in line ${line} of ${file} ${what}`),
      ...(unreadable > 0 ? [`${unreadable} of the certificates in ${file} cannot be read`] : []),
    ],
  };
}

/** OpenSSL would add nothing for one that it cannot read, without a word. */
function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
