import type { WebhookErrorCode } from '../shared/error-code.ts';
import {
  describeProblems,
  resolveNotaryConfig,
  type NotaryConfig,
} from '../shared/notary-config.ts';
import { readNotarySection } from '../shared/notary-section.ts';
import { serverHost } from '../shared/notary-url.ts';
import { ANNOTATION, SIGNING } from '../shared/names.ts';
import { labelProblems } from '../shared/signing-label.ts';
import type { AllowCode } from './admission.ts';
import type { BuildPod } from './build-pod.ts';
import type { BuildSteps } from './build-steps.ts';
import { configSource, saysTheSame } from './config-source.ts';
import { riskWarnings } from './config-warnings.ts';
import {
  buildTags,
  credentialsFor,
  imageOwner,
  signingMode,
  type ClusterFacts,
  type HostSecret,
} from './facts.ts';
import type { LimitRangeBounds } from './limit-range.ts';

/** What is to become of a build pod. */
export type PodPlan =
  | {
      readonly kind: 'skip';
      readonly code: SkipCode;
      readonly reason: string;
      readonly tell: SkipNotice;
    }
  | {
      readonly kind: 'inject';
      readonly signing: PlannedSigning;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'deny'; readonly code: WebhookErrorCode; readonly reason: string };

/**
 * Who hears that a pod is left alone: nobody, where nothing was asked for; whoever posted it, where
 * it only looks like a build pod; the pod itself, where a build stays unsigned on purpose.
 */
export type SkipNotice = 'nobody' | 'requester' | 'pod';

type SkipCode = Extract<AllowCode, 'NAMESPACE_OFF' | 'NO_BUILD' | 'OPTED_OUT' | 'NO_CONFIG'>;

/** What the signing container of a pod is to do, and between which steps. */
export interface PlannedSigning {
  readonly steps: BuildSteps;
  readonly config: NotaryConfig;
  /** The tags of the Build. */
  readonly tags: readonly string[];
  readonly credentials: readonly HostSecret[];
  /** What the LimitRanges of the namespace demand of it. */
  readonly bounds: LimitRangeBounds;
}

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
  const mode = signingMode(facts.label);
  if (mode === 'off') return skip('NAMESPACE_OFF', 'the namespace is not opted in', 'nobody');
  if (mode === 'invalid') {
    const problems = labelProblems(configSource('Namespace', facts.namespace));
    return deny('NAMESPACE_LABEL_INVALID', describeProblems(problems));
  }

  // Who asks: a key is never mounted because of a label on a pod alone.
  if (!pod.owner) return noBuild('the pod has no kpack Build as its controller');
  if (!kpackUsers.includes(requester)) {
    return deny(
      'REQUESTER_NOT_KPACK',
      `${requester} posted a pod of Build ${pod.owner.name}; --kpack-user is ${kpackUsers.join(', ')}`,
    );
  }
  const { build, image } = facts;
  if (!build) return noBuild(`Build ${pod.owner.name} does not exist`);
  if (build.metadata.uid !== pod.owner.uid) {
    return noBuild(`Build ${pod.owner.name} has another UID than the owner of the pod`);
  }
  const owner = imageOwner(build);
  if (owner && image?.metadata.uid !== owner.uid) {
    const what = image ? 'has another UID than the owner of the Build' : 'does not exist';
    return noBuild(`Image ${owner.name} ${what}`);
  }

  // What is asked for: by the Build, which carries a copy of what its Image said, else by the Image.
  const fromBuild = configSource('Build', build);
  // Where both say the same, the Image is named: it is what people can correct.
  const fromImage = image && configSource('Image', image);
  const { unit, isOptedOut, problems } = readNotarySection(fromBuild);
  // kpack 0.1 copies the annotations alone: settings of a section that the Image has.
  const isIncomplete = !unit && !isOptedOut && problems.length === 0;
  const source =
    fromImage && (isIncomplete || saysTheSame(fromImage, fromBuild)) ? fromImage : fromBuild;
  const resolved = resolveNotaryConfig(source, configSource('Namespace', facts.namespace));
  switch (resolved.kind) {
    case 'invalid':
      return deny('NOTARY_CONFIG_INVALID', describeProblems(resolved.problems));
    case 'opted-out':
      return skip(
        'OPTED_OUT',
        `${SIGNING}: disabled on the ${source.kind}; to have builds signed, take it off`,
        'pod',
      );
    case 'none':
      return skip(
        'NO_CONFIG',
        `neither Image nor Namespace has a notary section; to have builds signed, set ${ANNOTATION.url} and ${ANNOTATION.secretRef} on the Image`,
        'pod',
      );
    case 'config':
      break;
  }

  // Whether we know how.
  if (pod.isWindows) return deny('POD_UNSUPPORTED', 'Windows builds cannot be signed');
  if ('unknown' in pod.steps) return deny('POD_UNSUPPORTED', pod.steps.unknown);
  const tags = buildTags(build);
  if (tags.length === 0) return deny('POD_UNSUPPORTED', `Build ${pod.owner.name} has no tags`);

  const { config, warnings } = resolved;
  return {
    kind: 'inject',
    signing: {
      steps: pod.steps,
      config,
      tags,
      credentials: credentialsFor(serverHost(config.url), facts.credentials),
      bounds: facts.bounds,
    },
    warnings: [
      ...warnings,
      ...riskWarnings(config, { ...facts, serviceAccountName: pod.serviceAccountName }),
    ],
  };
}

function noBuild(what: string): PodPlan {
  return skip('NO_BUILD', `${what}; if it is to be signed, have kpack build it`, 'requester');
}

function skip(code: SkipCode, reason: string, tell: SkipNotice): PodPlan {
  return { kind: 'skip', code, reason, tell };
}

function deny(code: WebhookErrorCode, reason: string): PodPlan {
  return { kind: 'deny', code, reason };
}
