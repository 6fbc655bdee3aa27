import { KINDS } from '../../shared/kubernetes/cluster.ts';
import { MIRROR_ANNOTATION, NODE_USER_PREFIX, SYSTEM_NAMESPACES } from '../../shared/names.ts';
import { withLastStep } from '../../shared/signing-error.ts';
import type { AdmissionRequest } from './admission.ts';
import { readBuildPod, type Pod } from '../build-pod/build-pod.ts';
import { reviewConfig } from './config-review.ts';
import { reviewPodCreate, type Question, type ReviewSettings } from './pod-create.ts';
import { reviewPodUpdate } from './pod-update.ts';
import { type Verdict, allow, deny } from '../policy/verdict.ts';
import type { ConfigSource } from '../config/notary-field.ts';

/** What of a pod can be changed after it was admitted: the pod itself, and these subresources. */
const CHANGED_PARTS: readonly (string | undefined)[] = [undefined, 'ephemeralcontainers', 'resize'];

const NOT_OURS = allow('NOT_OURS', 'not judged here');

/** Answers one request: leads it to who judges its kind of object. */
export async function routeReview(
  question: Question,
  request: AdmissionRequest,
  settings: ReviewSettings,
): Promise<Verdict> {
  const { kind, operation, subResource, namespace } = request;
  // Of a Namespace, its own name stands there.
  if (SYSTEM_NAMESPACES.includes(namespace) || namespace === settings.ownNamespace) return NOT_OURS;
  const configKind = configKindOf(kind);
  if (configKind) {
    const isWrite = operation === 'CREATE' || operation === 'UPDATE';
    return question === 'validate' && isWrite && subResource === undefined
      ? reviewConfig(configKind, request, settings)
      : NOT_OURS;
  }
  return kind.group === '' && kind.kind === 'Pod'
    ? reviewPod(question, request, settings)
    : NOT_OURS;
}

async function reviewPod(
  question: Question,
  request: AdmissionRequest,
  settings: ReviewSettings,
): Promise<Verdict> {
  const { operation, subResource, object, oldObject } = request;
  if (operation === 'CREATE' && subResource === undefined) {
    const pod = readBuildPod(object);
    return pod && !isMirror(pod.pod, request)
      ? withRebuild(await reviewPodCreate(question, pod, request, settings))
      : NOT_OURS;
  }
  const isChange = operation === 'UPDATE' && CHANGED_PARTS.includes(subResource);
  return isChange && question === 'validate' ? reviewPodUpdate(object, oldObject) : NOT_OURS;
}

/** What is final for a pod fails its Build, and a correction alone makes no new one. */
function withRebuild(verdict: Verdict): Verdict {
  if (verdict.kind !== 'deny' || verdict.status !== 422) return verdict;
  return deny(verdict.status, verdict.code, verdict.reason, withLastStep(verdict.fix));
}

/**
 * Whether a pod stands for one that a kubelet runs from its own files. The annotation alone says
 * nothing: kpack copies all annotations of an Image to its build pods.
 */
function isMirror({ metadata }: Pod, { username }: AdmissionRequest): boolean {
  return (
    metadata?.annotations?.[MIRROR_ANNOTATION] !== undefined &&
    username.startsWith(NODE_USER_PREFIX)
  );
}

/** The kinds that people configure signing on. */
function configKindOf(asked: AdmissionRequest['kind']): ConfigSource['kind'] | undefined {
  return (['Image', 'Build', 'Namespace'] as const).find(
    (kind) => kind === asked.kind && KINDS[kind].group === asked.group,
  );
}
