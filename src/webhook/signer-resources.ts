import type { V1ResourceRequirements } from '@kubernetes/client-node';
import type { BuildSteps } from './build-steps.ts';
import { parseQuantity } from './quantity.ts';

/** Quantities for the signing container where the step before it says nothing. */
export interface SignerResources {
  readonly cpu: string;
  readonly memory: string;
}

/**
 * Requests and limits of the signing container.
 *
 * Among init containers they are those of the step before ours, and the settings where that states
 * none: the pod then asks for the largest of its init containers, and no more than before. Standard
 * containers run side by side and their requests add up, so there ours asks for the settings, or for
 * what the step asks for where that is less; what the step has beside cpu and memory is not doubled.
 * https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
 */
export function signerResources(
  { exportStep, waiting }: BuildSteps,
  settings: SignerResources,
): V1ResourceRequirements {
  const asked = exportStep.resources ?? {};
  const limits: Record<string, string> = waiting ? {} : { ...asked.limits };
  const requests: Record<string, string> = waiting ? {} : { ...asked.requests };
  for (const name of ['cpu', 'memory'] as const) {
    const quantity = settings[name];
    // As Kubernetes does: a limit without a request is the request.
    const request = asked.requests?.[name] ?? asked.limits?.[name] ?? quantity;
    const limit = asked.limits?.[name] ?? larger(request, quantity);
    requests[name] = waiting ? smaller(request, quantity) : request;
    limits[name] = waiting ? larger(requests[name], smaller(limit, quantity)) : limit;
  }
  return { requests, limits };
}

function larger(a: string, b: string): string {
  return amount(a) > amount(b) ? a : b;
}

function smaller(a: string, b: string): string {
  return amount(a) < amount(b) ? a : b;
}

function amount(quantity: string): number {
  return parseQuantity(quantity) ?? 0;
}
