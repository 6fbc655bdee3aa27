import type { V1ResourceRequirements } from '@kubernetes/client-node';
import type { BuildSteps } from '../build-pod/build-steps.ts';
import {
  RESOURCES,
  type LimitRangeBounds,
  type ResourceBounds,
  type ResourceName,
} from './limit-range.ts';
import { amountOf, larger, smaller } from './quantity.ts';

/** Quantities for the signing container where the step before it says nothing. */
export type SignerResources = Readonly<Record<ResourceName, string>>;

/**
 * Requests and limits of the signing container.
 *
 * Among init containers they are those of the step before it, and the settings where that states
 * none: the pod then asks for the largest of its init containers, and no more than before. Standard
 * containers run side by side and their requests add up. So there it asks for the settings, or for what
 * the step asks for where that is less. What the step has beside cpu and memory is not doubled.
 * https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
 *
 * Where the step states no CPU limit, the signer has none either: at 100m one signature takes 3.3 s,
 * without a limit 0.3 s. Nothing can demand one: a ResourceQuota or LimitRange that does refuses the
 * step as well, or gives it a limit before this webhook is asked. A missing memory limit is different:
 * the signer keeps one, so that it cannot take the memory of the node.
 *
 * @param bounds of the namespace; they matter among standard containers alone
 */
export function signerResources(
  { exportStep, waiting }: BuildSteps,
  settings: SignerResources,
  bounds: LimitRangeBounds,
): V1ResourceRequirements {
  const asked = exportStep.resources ?? {};
  const limits: Record<string, string> = waiting ? {} : { ...asked.limits };
  const requests: Record<string, string> = waiting ? {} : { ...asked.requests };
  for (const name of RESOURCES) {
    const limit = asked.limits?.[name];
    // As Kubernetes does: a limit without a request is the request.
    const step = { request: asked.requests?.[name] ?? limit, limit };
    const own = waiting
      ? sideBySide(step, settings[name], bounds[name])
      : oneByOne(step, settings[name]);
    requests[name] = own.request;
    const isUnlimited = name === 'cpu' && limit === undefined;
    if (own.limit !== undefined && !isUnlimited) limits[name] = own.limit;
  }
  return { requests, limits };
}

/** What a container states of one resource. */
interface Stated<Request> {
  readonly request: Request;
  readonly limit: string | undefined;
}

function oneByOne(step: Stated<string | undefined>, setting: string): Stated<string> {
  const request = step.request ?? setting;
  return { request, limit: step.limit ?? larger(request, setting) };
}

/**
 * Not below the least that a container may ask for, and else between the setting and what the step
 * states: what a LimitRange admits of the step, it admits of the signer.
 */
function sideBySide(
  step: Stated<string | undefined>,
  setting: string,
  { min, ofPods, podRatio }: ResourceBounds,
): Stated<string> {
  const most = larger(setting, min);
  const request = smaller(step.request ?? most, most);
  // Where no other container has a limit, the signer's would be that of the pod, and below its least.
  if (ofPods && step.limit === undefined) return { request, limit: undefined };
  const limit = larger(request, smaller(step.limit ?? most, most));
  const isTooFar = amountOf(limit) > podRatio * amountOf(request);
  return { request: isTooFar ? limit : request, limit };
}
