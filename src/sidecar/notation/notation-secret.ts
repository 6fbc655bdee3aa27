import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CA_FILE,
  TLS_CERTIFICATE_FILE,
  TLS_KEY_FILE,
  V2_PASSWORD_FILE,
} from '../../shared/names.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { cut } from '../../shared/shown-value.ts';
import { readBytes, readText, unreadable } from '../io/text-file.ts';
import { readPassword, type Password } from '../keys/password.ts';

/** What the v2 signing Secret holds, unread. */
export interface NotationSecret {
  /** tls.crt: the leaf first. */
  readonly certificatePem: string;
  /** tls.key. */
  readonly keyPem: string;
  /** ca.crt: what completes the chain. */
  readonly caPem?: string;
  readonly password?: Password;
}

/**
 * Reads the mounted v2 signing Secret.
 *
 * @throws SigningError FILE_UNREADABLE, CERTIFICATE_INVALID without tls.crt, KEY_MISSING without
 * tls.key
 */
export async function readNotationSecret(directory: string): Promise<NotationSecret> {
  const entries = await readdir(directory).catch((cause: unknown) => {
    throw unreadable(directory, cause);
  });
  const [certificatePem, keyPem, caPem] = await Promise.all(
    [TLS_CERTIFICATE_FILE, TLS_KEY_FILE, CA_FILE].map((file) => readText(join(directory, file))),
  );
  const passwordBytes = await readBytes(join(directory, V2_PASSWORD_FILE));
  if (certificatePem === undefined || keyPem === undefined) {
    throw lacking(certificatePem === undefined, keyPem === undefined, directory, entries);
  }
  const password = passwordBytes && readPassword([passwordBytes]);
  return {
    certificatePem,
    keyPem,
    ...(caPem !== undefined && { caPem }),
    ...(password && { password }),
  };
}

function lacking(
  lacksCertificate: boolean,
  lacksKey: boolean,
  directory: string,
  entries: readonly string[],
): SigningError {
  const names = [
    ...(lacksCertificate ? [TLS_CERTIFICATE_FILE] : []),
    ...(lacksKey ? [TLS_KEY_FILE] : []),
  ];
  // The kubelet's own entries begin with two dots.
  const found = entries.filter((name) => !name.startsWith('..')).sort();
  const holds = found.length === 0 ? 'it is empty' : `it holds ${cut(found.join(', '))}`;
  return new SigningError(
    lacksCertificate ? 'CERTIFICATE_INVALID' : 'KEY_MISSING',
    `the v2 signing Secret in ${directory} has no ${names.join(' and no ')}: ${holds}`,
    {
      fix: `Put certificate chain and private key, as PEM, under ${TLS_CERTIFICATE_FILE} and ${TLS_KEY_FILE} into the Secret, as kubernetes.io/tls has them.`,
    },
  );
}
