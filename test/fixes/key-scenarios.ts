/** Key files that the signer does not read, and what people run with openssl, ssh-keygen and docker. */
import { chmod, copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SigningError } from '../../src/shared/signing-error.ts';
import { makeKeyDirectory, openPem, PASSWORD, type KeyDirectory } from '../support/private-key.ts';
import type { Scenario, Shell } from './scenario.ts';

/** How somebody comes by a file that is refused, and turns it into another one. */
interface FileCase {
  readonly command: string;
  readonly what: string;
  /** Makes the file. */
  readonly make: (keys: KeyDirectory, file: string) => void | Promise<void>;
  /** What openssl asks for: the old password, the new one twice; or how that is answered else. */
  readonly shell?: (directory: string) => Promise<Omit<Shell, 'directory'>>;
  /** The file that holds a key then, which the command names. */
  readonly result?: string;
}

const OLD = 'old file';
const NEW = 'new file';
const TWICE = [PASSWORD, PASSWORD];
const THRICE = [PASSWORD, ...TWICE];
const PASSOUT = ['-passout', `pass:${PASSWORD}`];

const FILES: readonly FileCase[] = [
  {
    command: 'openssl pkcs8 -topk8 -provider legacy -provider default -in … -out …',
    what: 'a key that is encrypted in a way of its own',
    make: ({ run, opensslKey }, file) => {
      const { file: plain } = opensslKey('plain', ['ec_paramgen_curve:P-256']);
      const legacy = ['-provider', 'legacy', '-provider', 'default'];
      run('openssl', ['ec', ...legacy, '-in', plain, '-des', ...PASSOUT, '-out', file]);
    },
    shell: () => Promise.resolve({ answers: THRICE }),
  },
  {
    command: 'openssl pkcs8 -topk8 -iter 100000 -in … -out …',
    what: 'a key whose password takes too long to check',
    make: async ({ opensslKey }, file) => {
      const { encrypt } = opensslKey('plain', ['ec_paramgen_curve:P-256']);
      await writeFile(file, encrypt('-iter', '5100000'));
    },
    shell: () => Promise.resolve({ answers: THRICE }),
  },
  {
    command: 'openssl pkcs8 -topk8 -inform DER -in … -out …',
    what: 'a key in DER',
    make: ({ run, opensslKey }, file) => {
      const { file: plain } = opensslKey('plain', ['ec_paramgen_curve:P-256']);
      run('openssl', [
        'pkcs8',
        '-topk8',
        '-nocrypt',
        '-in',
        plain,
        '-outform',
        'DER',
        '-out',
        file,
      ]);
    },
    shell: () => Promise.resolve({ answers: TWICE }),
  },
  {
    command: 'openssl pkcs12 -nocerts -in … -out …',
    what: 'a key in PKCS#12',
    make: ({ run, opensslKey }, file) => {
      const { file: plain } = opensslKey('plain', ['ec_paramgen_curve:P-256']);
      run('openssl', ['pkcs12', '-export', '-nocerts', '-inkey', plain, ...PASSOUT, '-out', file]);
    },
    shell: () => Promise.resolve({ answers: THRICE }),
  },
  {
    command: 'ssh-keygen -p -m PKCS8 -f …',
    what: 'a key of OpenSSH',
    make: ({ run }, file) => {
      run('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', PASSWORD, '-f', file]);
    },
    shell: async (directory) => {
      await copyFile(join(directory, OLD), join(directory, 'copy'));
      const askpass = join(directory, 'askpass');
      await writeFile(askpass, `#!/bin/sh\nprintf '%s\\n' '${PASSWORD}'\n`);
      await chmod(askpass, 0o700);
      return { env: { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' } };
    },
    result: 'copy',
  },
];

export const KEY_SCENARIOS: readonly Scenario[] = [
  ...FILES.map(({ command, what, make, shell, result = NEW }): Scenario => {
    return {
      command,
      what,
      play: async () => {
        const keys = makeKeyDirectory();
        const { directory } = keys;
        await make(keys, join(directory, OLD));
        return {
          printed: refusalOf(await readFile(join(directory, OLD), 'utf8')),
          fill: Object.fromEntries(
            ['old file', 'new file', 'copy', 'file'].map((name) => [
              name,
              name === 'file' ? OLD : name,
            ]),
          ),
          shell: { directory, ...(await shell?.(directory)) },
          demandCured: async () => {
            demandEncrypted(await readFile(join(directory, result), 'utf8'));
          },
        };
      },
    };
  }),
  {
    command: 'docker trust key generate …',
    what: 'a key of cosign, where Notary needs one of its own',
    play: () => {
      const { directory } = makeKeyDirectory();
      const label = 'ENCRYPTED SIGSTORE PRIVATE KEY';
      return Promise.resolve({
        printed: refusalOf(`-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`),
        fill: { name: 'alice' },
        shell: {
          directory,
          env: { DOCKER_CONFIG: directory, DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: PASSWORD },
        },
        demandCured: async () => {
          const place = join(directory, 'trust', 'private');
          for (const name of await readdir(place)) {
            demandEncrypted(await readFile(join(place, name), 'utf8'));
          }
        },
      });
    },
  },
];

/** No command leaves a key without its password. */
function demandEncrypted(pem: string): void {
  openPem(pem, PASSWORD);
  if (!pem.includes('ENCRYPTED')) throw new Error('it is not encrypted');
}

/** What is printed about a key file that does not open. */
function refusalOf(pem: string): string {
  try {
    openPem(pem, PASSWORD);
  } catch (error) {
    if (error instanceof SigningError) return error.fix;
    throw error;
  }
  throw new Error('the key opens');
}
