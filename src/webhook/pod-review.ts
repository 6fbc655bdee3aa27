import fastJsonPatch, { type Operation } from 'fast-json-patch';
import { SIGNING_CONTAINER } from '../shared/names.ts';
import { allow, deny, type AllowCode, type Verdict } from './admission.ts';
import { allContainers, type BuildPod, type Pod } from './build-pod.ts';
import { handDown } from './hand-down.ts';
import { injectSigner, markSkipped, unmarked, type Injection } from './inject.ts';
import type { PodPlan } from './plan.ts';
import { whoElseReads } from './secret-exposure.ts';
import type { SignerPlacement } from './signing-container.ts';

/** What a review needs beside pod and plan. */
export interface PodReviewSettings {
  readonly placement: SignerPlacement;
  /** Ours, for the pod's annotation. */
  readonly version: string;
}

const TO_BE_SIGNED = { code: 'INJECTED', reason: 'to be signed' } as const;

/** Makes the plan true: the answer of the mutating webhook. */
export function mutatePod(
  buildPod: BuildPod,
  plan: PodPlan,
  { placement, version }: PodReviewSettings,
): Verdict {
  const { pod } = buildPod;
  switch (plan.kind) {
    case 'deny':
      return deny(422, plan.code, plan.reason);
    case 'skip': {
      if (plan.tell === 'nobody') return allow(plan.code, plan.reason);
      const after = plan.tell === 'pod' ? markSkipped(pod, plan.reason) : unmarked(pod);
      return patched(pod, after, plan, [`left unsigned: ${plan.reason}`]);
    }
    case 'inject': {
      const injection = injectSigner(buildPod.pod, plan.signing, placement, version);
      if (injection.kind !== 'pod') return refuse(injection);
      const whole = handDown(injection.pod, plan.signing.steps.exportStep.name);
      return exposed(whole, plan) ?? patched(pod, whole, TO_BE_SIGNED, plan.warnings);
    }
  }
}

/**
 * Checks that the plan is true: injecting again would change nothing. What of the step before ours
 * has not been handed down is no reason to refuse: it may have come after the last call of mutate.
 */
export function validatePod(
  buildPod: BuildPod,
  plan: PodPlan,
  { placement, version }: PodReviewSettings,
): Verdict {
  switch (plan.kind) {
    case 'deny':
      return deny(422, plan.code, plan.reason);
    case 'skip':
      // Who opts out between the two questions finds out here.
      return plan.tell === 'pod' && isInjected(buildPod.pod)
        ? deny(503, 'SIGNER_DIFFERS', `${SIGNING_CONTAINER} is there, and ${plan.reason}`)
        : allow(plan.code, plan.reason);
    case 'inject': {
      const injection = injectSigner(buildPod.pod, plan.signing, placement, version);
      if (injection.kind !== 'pod') return refuse(injection);
      const missing = fastJsonPatch.compare(buildPod.pod, injection.pod);
      if (missing.length === 0)
        return exposed(injection.pod, plan) ?? allow('COMPLETE', 'as injected');
      return isInjected(buildPod.pod)
        ? deny(503, 'SIGNER_DIFFERS', `not as injected: ${pathsOf(missing)}`)
        : deny(503, 'SIGNER_MISSING', `pod ${buildPod.name} has no container ${SIGNING_CONTAINER}`);
    }
  }
}

/** Where audited, nothing is refused and nothing changed: the verdict becomes a warning. */
export function audited(verdict: Verdict): Verdict {
  if (verdict.kind === 'deny') {
    const warning = `audit: would be refused: ${verdict.message}`;
    return { ...allow('AUDITED', warning, [warning]), audited: verdict };
  }
  const changes = verdict.patch.length > 0 ? ['audit: the pod would be changed'] : [];
  const warnings = verdict.warnings.map((warning) => `audit: ${warning}`);
  const allowed = allow(verdict.code, `audit: ${verdict.reason}`, [...changes, ...warnings]);
  return { ...allowed, audited: verdict };
}

function refuse({ kind, what }: Exclude<Injection, { kind: 'pod' }>): Verdict {
  switch (kind) {
    case 'differs':
      return deny(503, 'SIGNER_DIFFERS', what);
    case 'tampered':
      return deny(422, 'SIGNER_TAMPERED', what);
    case 'collision':
      return deny(422, 'POD_COLLISION', `the pod has ${what}`);
  }
}

function exposed(pod: Pod, plan: Extract<PodPlan, { kind: 'inject' }>): Verdict | undefined {
  const reader = whoElseReads(pod, plan.signing.config.secretName);
  return reader === undefined ? undefined : deny(422, 'SECRET_EXPOSED', reader);
}

function patched(
  before: Pod,
  after: Pod,
  { code, reason }: { readonly code: AllowCode; readonly reason: string },
  warnings: readonly string[],
): Verdict {
  return { kind: 'allow', code, reason, warnings, patch: fastJsonPatch.compare(before, after) };
}

function isInjected({ spec }: Pod): boolean {
  return allContainers(spec).some(({ name }) => name === SIGNING_CONTAINER);
}

function pathsOf(operations: readonly Operation[]): string {
  return operations
    .slice(0, 3)
    .map(({ path }) => path)
    .join(', ');
}
