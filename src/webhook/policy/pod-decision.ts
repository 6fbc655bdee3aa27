import type { WebhookErrorCode } from '../../shared/error-code.ts';
import {
  describeProblems,
  resolveNotaryConfig,
  type NotaryConfig,
} from '../config/notary-config.ts';
import { hasSection, type NotarySection } from '../config/notary-section.ts';
import { serverHost } from '../../shared/notary-url.ts';
import { ANNOTATION, SIGNING } from '../../shared/names.ts';
import type { BuildPod } from '../build-pod/build-pod.ts';
import { saysTheSame, tagsOf } from '../config/config-source.ts';
import { riskWarnings } from '../config/config-warnings.ts';
import { dockerSecrets, whyDockerSecretsUnclear } from '../build-pod/docker-secrets.ts';
import { MOST_SECRETS, type ClusterFacts, type KpackObject } from './facts.ts';
import { gateOf, type BuildGate, type Outside, type Refused } from './pod-gate.ts';
import type { PlannedSigning } from '../injection/signing-container.ts';
import type { AllowCode } from './verdict.ts';

/** What is to become of a pod with kpack's build label. */
export type PodPlan =
  | Outside
  | {
      /** A build that stays unsigned on purpose, which its pod says. */
      readonly kind: 'skip';
      readonly code: SkipCode;
      readonly reason: string;
      readonly gate: BuildGate;
    }
  | {
      readonly kind: 'inject';
      readonly signing: PlannedSigning;
      readonly warnings: readonly string[];
      readonly gate: BuildGate;
    }
  | Refused;

type SkipCode = Extract<AllowCode, 'OPTED_OUT' | 'NO_CONFIG'>;

/**
 * The whole policy: whether a build pod is signed, left alone or refused, and why. Mutating and
 * validating webhook both ask here.
 *
 * @param kpackUsers accounts that kpack posts build pods with
 */
export function planPod(
  pod: BuildPod,
  requester: string,
  facts: ClusterFacts,
  kpackUsers: readonly string[],
): PodPlan {
  const gate = gateOf(pod, requester, facts, kpackUsers);
  return gate.kind === 'build' ? planBuildPod(pod, gate, facts) : gate;
}

function planBuildPod(pod: BuildPod, gate: BuildGate, facts: ClusterFacts): PodPlan {
  const { build, image } = gate;
  const section = sectionOf(build, image);
  const resolved = resolveNotaryConfig(section, gate.admin);
  switch (resolved.kind) {
    case 'invalid':
      return deny('NOTARY_CONFIG_INVALID', describeProblems(resolved.problems));
    case 'opted-out':
      return {
        kind: 'skip',
        code: 'OPTED_OUT',
        reason: `${SIGNING}: disabled on the ${section.source.kind}; to have builds signed, take it off`,
        gate,
      };
    case 'none':
      return {
        kind: 'skip',
        code: 'NO_CONFIG',
        reason: `neither Image nor Namespace has a notary section; to have builds signed, set ${ANNOTATION.url} and ${ANNOTATION.secretRef} on the Image, or ${ANNOTATION.v2SecretRef}`,
        gate,
      };
    case 'config':
      break;
  }

  // Whether the pod can be signed.
  if (pod.isWindows) return deny('POD_UNSUPPORTED', 'Windows builds cannot be signed');
  if ('unknown' in pod.steps) return deny('POD_UNSUPPORTED', pod.steps.unknown);
  const tags = tagsOf('Build', build.object);
  if (tags.length === 0)
    return deny('POD_UNSUPPORTED', `Build ${build.object.metadata.name ?? ''} has no tags`);
  const unclear = whyDockerSecretsUnclear(pod.pod, tags);
  if (unclear !== undefined) return deny('ARGUMENTS_AMBIGUOUS', unclear);

  const { config, warnings } = resolved;
  const credentials = credentialsFor(config, facts);
  const { serviceAccountName } = pod;
  if (credentials === undefined) {
    return deny(
      'SECRETS_TOO_MANY',
      `service account ${serviceAccountName} names more than ${MOST_SECRETS} Secrets`,
    );
  }
  const registrySecrets =
    config.v2 && !facts.isPlanned ? dockerSecrets(pod.pod, tags) : facts.registrySecrets;
  return {
    kind: 'inject',
    signing: { steps: pod.steps, config, tags, credentials, bounds: facts.bounds },
    warnings: [
      ...warnings,
      ...riskWarnings(config, { ...facts, serviceAccountName, registrySecrets, tags }),
    ],
    gate,
  };
}

/**
 * What is asked for: by the Build, which carries a copy of what its Image said, else by the Image.
 * Where both say the same, the Image is named: it is what people can correct.
 */
function sectionOf({ section }: KpackObject, image: KpackObject | undefined): NotarySection {
  const isOfImage =
    image && (saysTheSame(image.section.source, section.source) || isIncomplete(section, image));
  return isOfImage ? image.section : section;
}

/** kpack 0.1 copies the annotations alone: settings of a section that the Image has. */
function isIncomplete(
  { v1, v2, isOptedOut, problems }: NotarySection,
  image: KpackObject,
): boolean {
  const saysAll = v1 ?? (v2 && !hasSection(image.section.source));
  return !saysAll && !isOptedOut && problems.length === 0;
}

/** The credentials for the Notary server; undefined: nobody has looked, as there are too many Secrets. */
function credentialsFor(
  { v1 }: NotaryConfig,
  { credentials }: ClusterFacts,
): ClusterFacts['credentials'] {
  return v1 ? credentials?.filter(({ host }) => host === serverHost(v1.url)) : [];
}

function deny(code: WebhookErrorCode, reason: string): PodPlan {
  return { kind: 'deny', status: 422, code, reason };
}
