import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import type { FastifyBaseLogger } from 'fastify';
import { readPemCertificates } from '../../shared/pem.ts';
import { SettingsError } from '../../shared/settings-error.ts';
import { onChange, type ServingContext } from './tls-files.ts';

/**
 * Callers' certificates are checked against a file, which is read again when it changes; one that
 * holds no certificate is left until it does.
 *
 * @throws SettingsError when the file holds none now
 */
export function watchClientCa(file: string, log: FastifyBaseLogger) {
  let certificates = firstOf(file);
  return {
    /** PEM, as it is now. */
    certificates: () => certificates,
    /**
     * Has a server trust the CA as it comes to be, beside whatever certificate it serves.
     *
     * @param served what the server serves at first
     * @returns what the server's certificates are to be given to, and what ends the watching
     */
    keep(server: ServingContext, served: SecureContextOptions) {
      const context: ServingContext = {
        setSecureContext: (options) => {
          served = options;
          server.setSecureContext({ ...options, ca: certificates });
        },
      };
      const stop = onChange([file], () => {
        try {
          certificates = read(file);
          context.setSecureContext(served);
          log.info({ file }, 'trusting a new CA of callers');
        } catch (error) {
          log.warn({ file, err: error }, 'the new CA of callers cannot be trusted yet');
        }
      });
      return { context, stop };
    },
  };
}

function firstOf(file: string): string {
  try {
    return read(file);
  } catch (error) {
    throw new SettingsError(
      `--client-ca ${file}: ${(error as Error).message}. Fix: name a PEM file with the CA certificates of your API servers, readable by this user.`,
    );
  }
}

/** @throws Error when there is no certificate in it, or one that cannot be read */
function read(file: string): string {
  const { certificates, damaged } = readPemCertificates(readFileSync(file, 'utf8'));
  const [lost] = damaged;
  if (lost) throw new Error(`the certificate in line ${lost.line} ${lost.what}`);
  if (certificates.length === 0) throw new Error('it holds no PEM certificate');
  for (const certificate of certificates) new X509Certificate(certificate);
  return certificates.join('');
}
