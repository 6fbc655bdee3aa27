import type { V1ResourceRequirements } from '@kubernetes/client-node';
import { BUILD_LABEL, INJECTED, SIGNING_CONTAINER, SKIPPED } from '../../shared/names.ts';
import { allContainers, isPod, signerOf, type Pod } from '../build-pod/build-pod.ts';
import { whyEphemeralLeads, whyEphemeralReads } from '../injection/ephemeral-container.ts';
import { whyDifferent } from '../injection/normal-form.ts';
import { isPinned } from '../injection/same-image.ts';
import { type Verdict, allow, deny } from '../policy/verdict.ts';

/**
 * Answers for a change of a pod, of its ephemeral containers or of its resources, from the two objects
 * alone: what was admitted stays true. kpack's own changes (an annotation, a deadline) pass, and so
 * does whatever is on its way out.
 */
export function reviewPodUpdate(object: unknown, oldObject: unknown): Verdict {
  if (!isPod(object) || !isPod(oldObject)) return allow('NOT_OURS', 'not judged here');
  if (object.metadata?.deletionTimestamp) return allow('UNTOUCHED', 'the pod is being deleted');
  const annotation = [INJECTED, SKIPPED].find(
    (name) => annotationOf(object, name) !== annotationOf(oldObject, name),
  );
  if (annotation !== undefined)
    return refused(`the annotation ${annotation} belongs to kpack-notary alone`);
  const signer = signerOf(oldObject);
  if (!signer) {
    const isUnsignedBuild = annotationOf(oldObject, SKIPPED) !== undefined;
    const way = isUnsignedBuild ? whyEphemeralReads(object, oldObject) : undefined;
    return way === undefined
      ? allow('UNTOUCHED', 'the pod has no signing container')
      : deny(422, 'SECRET_EXPOSED', way);
  }

  const what =
    whyImageChanges(object, oldObject) ??
    whyResourcesChange(signer.resources, signerOf(object)?.resources);
  if (what !== undefined) return refused(what);
  if (buildOf(object) !== buildOf(oldObject)) {
    return refused(`the label ${BUILD_LABEL} is how later changes of the pod are seen`);
  }
  const lead = whyEphemeralLeads(object, oldObject);
  return lead
    ? deny(422, lead.code, lead.what)
    : allow('UNTOUCHED', 'nothing that signing needs is changed');
}

/**
 * Each image decides what is signed: kpack's `pre-start` writes the program that all other steps run,
 * and any of them may write the report. A digest beside the same tag is no other image.
 */
function whyImageChanges({ spec }: Pod, { spec: before }: Pod): string | undefined {
  const images = new Map(allContainers(spec).map(({ name, image }) => [name, image]));
  const swapped = allContainers(before).find(
    ({ name, image = '' }) => !isPinned(image, images.get(name) ?? ''),
  );
  return swapped && `the image of ${swapped.name} would become ${images.get(swapped.name)}`;
}

/** A signer that is given next to nothing cannot sign, nor say why. */
function whyResourcesChange(
  before: V1ResourceRequirements = {},
  after: V1ResourceRequirements = {},
): string | undefined {
  return whyDifferent(before, after, 'resources') === undefined
    ? undefined
    : `the resources of ${SIGNING_CONTAINER} would be changed`;
}

function refused(what: string): Verdict {
  return deny(422, 'POD_CHANGE_REFUSED', what);
}

function annotationOf({ metadata }: Pod, name: string): string | undefined {
  return metadata?.annotations?.[name];
}

function buildOf({ metadata }: Pod): string | undefined {
  return metadata?.labels?.[BUILD_LABEL];
}
