/**
 * The real notation CLI: signs, and judges signatures as the gates of clusters do, under a trust
 * policy of its own.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand, type CommandResult } from './command.ts';

/** A notation CLI to use. */
export interface NotationCliOptions {
  /** The program: {@link goTools} builds it. */
  readonly program: string;
  /** Where its configuration goes; made where it is missing. */
  readonly home: string;
  /** PEM of the roots that it trusts. */
  readonly roots: readonly string[];
  /** PEM of the roots of timestamp servers; with one, each signature must have a timestamp. */
  readonly timestampRoots?: readonly string[];
  /** When a timestamp is needed; `always` by default. */
  readonly verifyTimestamp?: 'always' | 'afterCertExpiry';
  /** Who may sign; everybody under the roots by default. `x509.subject: C=…, ST=…, O=…`. */
  readonly identities?: readonly string[];
}

/** The notation CLI, with a policy of the level strict. */
export interface NotationCli {
  /** Whether an image at a registry, `<host>/<repository>@<digest>`, is signed. */
  verify(reference: string): Promise<CommandResult>;
  /** The same for an image in an OCI layout, `<directory>@<digest>`. */
  verifyLayout(reference: string): Promise<CommandResult>;
  /** Runs the program; throws only when it is killed or runs longer than 30 seconds. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CommandResult>;
}

/** The scope of layouts; registries have all others. */
const LAYOUT_SCOPE = 'local/layout';

/** A notation CLI that trusts these roots. */
export async function notationCli(options: NotationCliOptions): Promise<NotationCli> {
  const { program, home, roots, timestampRoots = [], identities = ['*'] } = options;
  const configuration = join(home, 'notation');
  const stores = { ca: roots, tsa: timestampRoots };
  for (const [type, certificates] of Object.entries(stores)) {
    const directory = join(configuration, 'truststore/x509', type, 'bed');
    await mkdir(directory, { recursive: true });
    for (const [i, pem] of certificates.entries()) {
      await writeFile(join(directory, `${i}.crt`), pem);
    }
  }
  const policy = {
    name: 'bed',
    registryScopes: ['*'],
    signatureVerification: {
      level: 'strict',
      ...(options.verifyTimestamp && { verifyTimestamp: options.verifyTimestamp }),
    },
    trustStores: ['ca:bed', ...(timestampRoots.length > 0 ? ['tsa:bed'] : [])],
    trustedIdentities: identities,
  };
  const file = join(configuration, 'trustpolicy.json');
  // A policy that others may read is refused.
  await writeFile(file, JSON.stringify({ version: '1.0', trustPolicies: [policy] }), {
    mode: 0o600,
  });
  const run: NotationCli['run'] = (args, env = {}) =>
    runCommand({ program, args, directory: home, env: { XDG_CONFIG_HOME: home, ...env } });
  return {
    verify: (reference) => run(['verify', '--insecure-registry', reference]),
    verifyLayout: (reference) =>
      run(['verify', '--oci-layout', '--scope', LAYOUT_SCOPE, reference], {
        NOTATION_EXPERIMENTAL: '1',
      }),
    run,
  };
}
