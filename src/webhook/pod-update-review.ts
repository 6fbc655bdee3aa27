import { BUILD_LABEL, INJECTED, SIGNING_CONTAINER, SKIPPED, VOLUME } from '../shared/names.ts';
import { allow, deny, type Verdict } from './admission.ts';
import { allContainers, isPod, type Pod } from './build-pod.ts';
import { makesImage } from './build-steps.ts';
import { whyReads } from './secret-exposure.ts';

/**
 * Answers for a change of a pod, or of its ephemeral containers, from the two objects alone: what
 * was admitted stays true. Of a container the API server itself lets nobody change but the image.
 * kpack's own changes (an annotation, a deadline) pass, and so does whatever is on its way out.
 */
export function reviewPodUpdate(object: unknown, oldObject: unknown): Verdict {
  if (!isPod(object) || !isPod(oldObject)) return allow('NOT_OURS', 'not ours to judge');
  if (object.metadata?.deletionTimestamp) return allow('UNTOUCHED', 'the pod is being deleted');
  const annotation = [INJECTED, SKIPPED].find(
    (name) => annotationOf(object, name) !== annotationOf(oldObject, name),
  );
  if (annotation !== undefined) {
    return deny(422, 'POD_CHANGE_REFUSED', `the annotation ${annotation} is ours alone`);
  }
  if (!signerOf(oldObject)) return allow('UNTOUCHED', 'the pod has no signing container');

  const images = new Map(allContainers(object.spec).map(({ name, image }) => [name, image]));
  const swapped = allContainers(oldObject.spec).find(
    (container) =>
      (container.name === SIGNING_CONTAINER || makesImage(container)) &&
      images.get(container.name) !== container.image,
  );
  if (swapped) {
    const what = `the image of ${swapped.name} would become ${images.get(swapped.name)}`;
    return deny(422, 'POD_CHANGE_REFUSED', what);
  }
  if (buildOf(object) !== buildOf(oldObject)) {
    const what = `the label ${BUILD_LABEL} is how later changes of the pod reach us`;
    return deny(422, 'POD_CHANGE_REFUSED', what);
  }
  const reader = whyEphemeralReads(object, oldObject);
  return reader === undefined
    ? allow('UNTOUCHED', 'nothing of ours is changed')
    : deny(422, 'SECRET_EXPOSED', reader);
}

/** How an ephemeral container that is added reaches the signing Secret; undefined: none does. */
function whyEphemeralReads({ spec }: Pod, { spec: before }: Pod): string | undefined {
  const secretName = spec.volumes?.find(({ name }) => name === VOLUME.key)?.secret?.secretName;
  const secretNames = new Set(secretName === undefined ? [] : [secretName]);
  // One that is there stays: to refuse what kpack does later would only hold up the build.
  const known = new Set(before.ephemeralContainers?.map(({ name }) => name));
  for (const container of spec.ephemeralContainers ?? []) {
    const { name, targetContainerName, securityContext } = container;
    if (known.has(name)) continue;
    // It would see the processes of its target, and through them the files.
    if (targetContainerName === SIGNING_CONTAINER) {
      return `ephemeral container ${name} targets ${SIGNING_CONTAINER}`;
    }
    if (securityContext?.privileged === true) {
      return `ephemeral container ${name} is privileged, and so reaches all that is on the node`;
    }
    const reason = whyReads(container, secretNames);
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
