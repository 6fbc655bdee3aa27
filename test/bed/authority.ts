/**
 * A throw-away certificate authority, by the openssl program.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { succeed } from './command.ts';

/** A certificate and its private key (EC P-256, PKCS#8), as files and as PEM. */
export interface Certificate {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** What to issue a certificate for. */
export interface CertificateRequest {
  /** Common name, and the start of the file names. */
  readonly name: string;
  /** To Kubernetes, a group that the common name is in. */
  readonly organization?: string;
  /** DNS names and IP addresses besides localhost, 127.0.0.1 and ::1. */
  readonly hosts?: readonly string[];
  /**
   * `server` (the default) and `client`: ends of TLS; `signing`: signatures on tokens and code;
   * `timestamps`: those of RFC 3161.
   */
  readonly usage?: 'server' | 'client' | 'signing' | 'timestamps';
}

/** A certificate authority whose certificates are good for two days. */
export interface Authority {
  readonly certificateFile: string;
  readonly certificatePem: string;
  /**
   * Makes a new key and a certificate for it. Names may repeat: each certificate has its own files.
   *
   * @throws Error with openssl's output when it fails
   */
  issue(request: CertificateRequest): Promise<Certificate>;
}

const EXTENSIONS = {
  authority: ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'],
  server: [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=serverAuth',
  ],
  client: [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=clientAuth',
  ],
  signing: [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=codeSigning',
  ],
  timestamps: [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=critical,timeStamping',
  ],
} as const;

/**
 * Creates a CA with a key of its own.
 *
 * @param directory where its files go; made where it is missing, for this user alone
 * @throws Error with openssl's output when it fails
 */
export async function createAuthority(directory: string): Promise<Authority> {
  const home = resolve(directory);
  await mkdir(home, { recursive: true, mode: 0o700 });
  // openssl's own configuration would add extensions that we do not want.
  await writeFile(join(home, 'openssl.cnf'), '[req]\ndistinguished_name = dn\n[dn]\n');
  const root = await makeCertificate(home, 'authority', '/CN=Throw-away test CA', [
    ...EXTENSIONS.authority,
  ]);
  let issued = 0;
  return {
    certificateFile: root.certificateFile,
    certificatePem: root.certificatePem,
    issue: ({ name, organization, hosts = [], usage = 'server' }) => {
      issued += 1;
      const names = ['localhost', '127.0.0.1', '::1', ...hosts].map((host) =>
        isIP(host) === 0 ? `DNS:${host}` : `IP:${host}`,
      );
      const extensions = [...EXTENSIONS[usage], `subjectAltName=${names.join(',')}`];
      const subject = `${organization === undefined ? '' : `/O=${organization}`}/CN=${name}`;
      return makeCertificate(home, `${name}-${issued}`, subject, extensions, root);
    },
  };
}

/** One openssl call: key and certificate, signed by the issuer, or by itself without one. */
async function makeCertificate(
  directory: string,
  file: string,
  subject: string,
  extensions: readonly string[],
  issuer?: Certificate,
): Promise<Certificate> {
  const certificateFile = join(directory, `${file}.crt`);
  const keyFile = join(directory, `${file}.key`);
  const signer =
    issuer === undefined ? [] : ['-CA', issuer.certificateFile, '-CAkey', issuer.keyFile];
  const args = [
    ...['req', '-x509', '-config', join(directory, 'openssl.cnf'), '-days', '2', '-nodes'],
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha256'],
    ...['-subj', subject, '-keyout', keyFile, '-out', certificateFile],
    ...signer,
    ...extensions.flatMap((extension) => ['-addext', extension]),
  ];
  await succeed({ program: 'openssl', args, directory });
  const [certificatePem, keyPem] = await Promise.all([
    readFile(certificateFile, 'utf8'),
    readFile(keyFile, 'utf8'),
  ]);
  return { certificateFile, keyFile, certificatePem, keyPem };
}
