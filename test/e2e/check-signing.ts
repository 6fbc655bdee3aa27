/** Builds of every shape end as they have to, and the judges see what was signed. */
import { type Manifest, secret } from '../support/build-fixture.ts';
import { prepareBuild, runBuild, type BuildOptions, type EndedBuild } from './build.ts';
import { demandSigned, demandUnsigned } from './judges.ts';
import type { Environment } from './environment.ts';
import type { Report } from './report.ts';

const ENABLED = { 'notary.kpack.io/signing': 'enabled' };
/** What the user writes where kpack's own section cannot be used. */
export const byAnnotations: NonNullable<BuildOptions['change']> = (
  { image, build },
  { notary },
) => {
  for (const object of [image, build]) {
    annotate(object, {
      'notary.kpack.io/v1.url': notary.url,
      'notary.kpack.io/v1.secretRef': 'notary-signing',
    });
  }
};
/** What a webhook that hands out CA certificates adds to every pod: it comes before ours. */
const trustingTheRegistry: BuildOptions['change'] = ({ pod, secrets }, { authority }) => {
  const name = 'registry-ca';
  secrets.push(secret(name, { 'ca.crt': authority.certificatePem }));
  pod.spec.volumes?.push({ name, secret: { secretName: name } });
  for (const container of pod.spec.initContainers ?? []) {
    const mount = { name, mountPath: '/var/registry-ca', readOnly: true };
    container.volumeMounts = [...(container.volumeMounts ?? []), mount];
    const variable = { name: 'SSL_CERT_FILE', value: '/var/registry-ca/ca.crt' };
    container.env = [...(container.env ?? []), variable];
  }
};
/** As many as two processors keep up with. */
const LANES = 4;

interface SigningCase extends Omit<BuildOptions, 'name' | 'lastImage'> {
  readonly title: string;
  /** What is built before, as the base of a rebase. */
  readonly first?: string;
  /** Throws where it did not end as it has to. */
  readonly judge?: (environment: Environment, build: EndedBuild) => Promise<string>;
}

const CASES: readonly SigningCase[] = [
  { title: 'kpack 0.17 builds with a notary section', fixture: 'v0.17.2/02-notary' },
  {
    title: 'kpack 0.17 builds with registry and notary credentials of its own',
    fixture: 'v0.17.2/02b-notary-registry-secrets',
  },
  {
    title: 'kpack 0.17 builds without a section, by annotations',
    fixture: 'v0.17.2/01b-plain-git-default-tagging',
    change: byAnnotations,
  },
  {
    title: 'many tags in several repositories and two registries',
    fixture: 'v0.17.2/03d-build-many-tags-notary',
  },
  {
    title: 'standard containers',
    fixture: 'v0.17.2/07b-standard-containers-notary',
  },
  { title: 'kpack 0.9 in standard containers', fixture: 'v0.9.7/07b-standard-containers-notary' },
  { title: 'kpack 0.9', fixture: 'v0.9.7/02-notary' },
  { title: 'kpack 0.5', fixture: 'v0.5.4/02-notary' },
  {
    title: 'kpack 0.2, of whose image the size is asked of the registry',
    fixture: 'v0.2.0/02-notary',
    change: trustingTheRegistry,
  },
  { title: 'a rebase', first: 'v0.17.2/02-notary', fixture: 'v0.17.2/05b-rebase-notary' },
  {
    title: 'a rebase in standard containers',
    first: 'v0.17.2/07b-standard-containers-notary',
    fixture: 'v0.17.2/07c-standard-containers-rebase',
  },
  {
    title: 'a rebase of kpack 0.5',
    first: 'v0.5.4/02-notary',
    fixture: 'v0.5.4/05b-rebase-notary',
  },
  {
    title: 'a wrong password',
    fixture: 'v0.17.2/02-notary',
    password: 'canary-not-this-one',
    judge: failedInWords,
  },
  {
    title: 'a wrong password, and on-failure: warn',
    fixture: 'v0.17.2/02-notary',
    password: 'canary-not-this-one',
    change: ({ image, build }) => {
      for (const object of [image, build])
        annotate(object, { 'notary.kpack.io/on-failure': 'warn' });
    },
    judge: failedInTheReceipt,
  },
];

/** Runs them, a few at a time. */
export async function checkSigning(environment: Environment, report: Report): Promise<void> {
  report.section('Builds in labelled namespaces are signed');
  const waiting = CASES.map((one, index) => ({ ...one, name: `signing-${index}` }));
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { title, judge = signed, first, ...options } = next;
      const check = async () => {
        await environment.namespace(options.name, ENABLED);
        const lastImage = first && (await builtImage(environment, { ...options, fixture: first }));
        const all = { ...options, ...(lastImage !== undefined && { lastImage }) };
        return judge(
          environment,
          await runBuild(environment, await prepareBuild(environment, all)),
        );
      };
      await report.check(`${title} (${options.fixture})`, check, options.name);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Runs a build and returns its image, as `<repository>@<digest>`. */
async function builtImage(environment: Environment, options: BuildOptions): Promise<string> {
  const build = await runBuild(environment, await prepareBuild(environment, options));
  await signed(environment, build);
  const [repository] = receiptOf(build).repositories;
  return `${repository?.gun}@sha256:${repository?.targets[0]?.sha256}`;
}

/** A build that ends well, its receipt says signed, and the judges confirm. */
export async function signed(environment: Environment, build: EndedBuild): Promise<string> {
  demandPhase(build, 'Succeeded');
  const receipt = receiptOf(build);
  if (receipt.result !== 'signed') throw new Error(`the receipt says ${JSON.stringify(receipt)}`);
  return `${await demandSigned(environment, build)}; ${seconds(build)}`;
}

/** A build that fails, and kpack shows code, reason and fix; nothing is signed with v1. */
export async function failedInWords(environment: Environment, build: EndedBuild): Promise<string> {
  demandPhase(build, 'Failed');
  if (!/^notary-sign failed \([\w-]+\): .+ Fix: .+/s.test(build.message)) {
    throw new Error(`kpack would show: ${build.message}`);
  }
  if (build.message.split('notary-sign failed (').length !== 2) {
    throw new Error(`kpack would show the sentence more than once: ${build.message}`);
  }
  return `the pod fails, kpack shows "${build.message}"; ${await demandUnsigned(environment, build)}`;
}

async function failedInTheReceipt(environment: Environment, build: EndedBuild): Promise<string> {
  demandPhase(build, 'Succeeded');
  const { result } = receiptOf(build);
  if (result !== 'failed') throw new Error(`the receipt says ${result}`);
  return `the pod succeeds, the receipt says failed; ${await demandUnsigned(environment, build)}`;
}

/** @throws Error with what each container said where the pod ended in another way */
export function demandPhase(build: EndedBuild, phase: EndedBuild['phase']): void {
  if (build.phase === phase) return;
  const ends = [...build.ends].map(([name, end]) => {
    const message = end?.message === undefined ? '' : ` ${end.message}`;
    return `${name}: ${end?.exitCode ?? 'did not end'}${message}`;
  });
  throw new Error(`the pod ended ${build.phase}:\n  ${ends.join('\n  ')}`);
}

/** The termination message of the signer, as far as it is read here. */
interface Receipt {
  readonly result: string;
  readonly repositories: readonly {
    readonly gun: string;
    readonly code?: string;
    readonly targets: readonly { readonly sha256: string }[];
  }[];
}

/** @throws Error where the signer left no receipt */
export function receiptOf(build: EndedBuild): Receipt {
  const message = build.ends.get('notary-sign')?.message ?? '';
  try {
    return JSON.parse(message) as Receipt;
  } catch {
    throw new Error(`the termination message is no receipt: ${message}`);
  }
}

function annotate(object: Manifest | undefined, annotations: Record<string, string>): void {
  if (object === undefined) return;
  object.metadata.annotations = { ...object.metadata.annotations, ...annotations };
}

function seconds({ milliseconds }: EndedBuild): string {
  return `the pod took ${(milliseconds / 1000).toFixed(1)} s`;
}
