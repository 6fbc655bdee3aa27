import { BUILD_LABEL, INJECTED, SIGNING_CONTAINER, SKIPPED, VOLUME } from '../shared/names.ts';
import { allow, deny, type Verdict } from './admission.ts';
import { allContainers, isPod, type Pod } from './build-pod.ts';
import { whyReads } from './secret-exposure.ts';

/**
 * Answers for a change of a pod, or of its ephemeral containers, from the two objects alone: what
 * was admitted stays true. Of our container the API server itself lets nobody change but the image.
 * kpack's own changes (an annotation, a deadline) pass, and so does whatever is on its way out.
 */
export function reviewPodUpdate(object: unknown, oldObject: unknown): Verdict {
  if (!isPod(object) || !isPod(oldObject)) return allow('NOT_OURS', 'not ours to judge');
  if (object.metadata?.deletionTimestamp) return allow('UNTOUCHED', 'the pod is being deleted');
  // Of a pod that bears one of them: a signed pod is not called unsigned later, nor the reverse.
  const own = [INJECTED, SKIPPED];
  const isMarked = own.some((name) => annotationOf(oldObject, name) !== undefined);
  const annotation = own.find(
    (name) => isMarked && annotationOf(object, name) !== annotationOf(oldObject, name),
  );
  if (annotation !== undefined) {
    return deny(422, 'POD_CHANGE_REFUSED', `the annotation ${annotation} is ours alone`);
  }
  const signer = signerOf(oldObject);
  if (!signer) return allow('UNTOUCHED', 'the pod has no signing container');

  const image = signerOf(object)?.image;
  if (image !== signer.image) {
    const what = `the image of ${SIGNING_CONTAINER} would become ${image}`;
    return deny(422, 'POD_CHANGE_REFUSED', what);
  }
  if (buildOf(object) !== buildOf(oldObject)) {
    const what = `the label ${BUILD_LABEL} is how later changes of the pod reach us`;
    return deny(422, 'POD_CHANGE_REFUSED', what);
  }
  const reader = whyEphemeralReads(object);
  return reader === undefined
    ? allow('UNTOUCHED', 'nothing of ours is changed')
    : deny(422, 'SECRET_EXPOSED', reader);
}

/** How an ephemeral container reaches the signing Secret; undefined: none does. */
function whyEphemeralReads({ spec }: Pod): string | undefined {
  const secretName = spec.volumes?.find(({ name }) => name === VOLUME.key)?.secret?.secretName;
  for (const container of spec.ephemeralContainers ?? []) {
    // It would see the processes of its target, and through them the files.
    if (container.targetContainerName === SIGNING_CONTAINER) {
      return `ephemeral container ${container.name} targets ${SIGNING_CONTAINER}`;
    }
    const reason = whyReads(container, secretName ?? '');
    if (reason !== undefined) return `ephemeral ${reason}`;
  }
  return undefined;
}

function signerOf({ spec }: Pod) {
  return allContainers(spec).find(({ name }) => name === SIGNING_CONTAINER);
}

function annotationOf({ metadata }: Pod, name: string): string | undefined {
  return metadata?.annotations?.[name];
}

function buildOf({ metadata }: Pod): string | undefined {
  return metadata?.labels?.[BUILD_LABEL];
}
