import fastJsonPatch, { type Operation } from 'fast-json-patch';
import { SIGNING_CONTAINER } from '../../shared/names.ts';
import { signerOf, type BuildPod } from '../build-pod/build-pod.ts';
import { KPACK_SIGNATURE_GOES } from '../config/config-warnings.ts';
import { inheritTrustAndProxy } from '../injection/inherit-trust-and-proxy.ts';
import { changeOf } from '../injection/injected-mark.ts';
import { injectSigner, markSkipped, unmarked, type Injection } from '../injection/inject.ts';
import type { PodPlan } from '../policy/pod-decision.ts';
import { leave, letIn, type PodVerdict } from '../policy/pod-gate.ts';
import type { PlannedSigning, SignerContainerSettings } from '../injection/signing-container.ts';
import { withoutKpackSigner } from '../injection/remove-kpack-signer.ts';
import { type Verdict, allow, deny } from '../policy/verdict.ts';

/** What a review needs beside pod and plan. */
export interface PodReviewSettings {
  readonly placement: SignerContainerSettings;
  /** Of the webhook, for the pod's annotation. */
  readonly version: string;
}

/**
 * The answer to a pod. `mutate` makes the plan true. `validate` checks that it is: injecting again would
 * change nothing. What the signing container lacks of the step before it is no reason to refuse: it
 * may have come after the last call of mutate.
 */
export function decidePod(
  webhook: 'mutate' | 'validate',
  { pod, name }: BuildPod,
  plan: PodPlan,
  { placement, version }: PodReviewSettings,
): PodVerdict {
  const isMutating = webhook === 'mutate';
  switch (plan.kind) {
    case 'deny':
      return deny(plan.status, plan.code, plan.reason);
    case 'outside':
      return isMutating && plan.code !== 'NAMESPACE_OFF'
        ? leave(plan, [pod, unmarked(pod)], [`left unsigned: ${plan.reason}`])
        : leave(plan, [pod, pod], []);
    case 'skip': {
      const { gate, code, reason } = plan;
      if (!isMutating) {
        // Somebody may opt out between the two calls.
        return signerOf(pod)
          ? deny(503, 'SIGNER_DIFFERS', `${SIGNING_CONTAINER} is there, and ${reason}`)
          : letIn(gate, [pod, pod], [], { code, reason });
      }
      const unsigned = withoutKpackSigner(pod);
      const warnings = [
        `left unsigned: ${reason}`,
        ...(unsigned !== pod && code === 'OPTED_OUT' ? [KPACK_SIGNATURE_GOES] : []),
      ];
      return letIn(gate, [pod, markSkipped(unsigned, reason)], [], { code, reason, warnings });
    }
    case 'inject': {
      const { gate, signing, warnings } = plan;
      const injection = injectSigner(pod, signing, placement, version);
      if (injection.kind !== 'pod') return refuse(injection);
      if (isMutating) {
        const whole = inheritTrustAndProxy(injection.pod, signing.steps.exportStep.name);
        const why = { code: 'INJECTED', reason: 'to be signed', warnings } as const;
        return letIn(gate, [pod, whole], plannedSecrets(signing), why);
      }
      const missing = fastJsonPatch.compare(pod, injection.pod);
      if (missing.length === 0) {
        const why = { code: 'COMPLETE', reason: 'as injected' } as const;
        return letIn(gate, [pod, pod], plannedSecrets(signing), why);
      }
      if (!signerOf(pod)) {
        return deny(503, 'SIGNER_MISSING', `pod ${name} has no container ${SIGNING_CONTAINER}`);
      }
      const kind = changeOf(pod, injection.mark());
      return refuse({ kind, what: `not as injected: ${pathsOf(missing)}` });
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

function refuse({ kind, what }: Exclude<Injection, { kind: 'pod' }>): PodVerdict {
  switch (kind) {
    case 'differs':
      return deny(503, 'SIGNER_DIFFERS', what);
    case 'tampered':
      return deny(422, 'SIGNER_TAMPERED', what);
    case 'collision':
      return deny(422, 'POD_COLLISION', `the pod has ${what}`);
  }
}

/** Keys and credentials of a plan; a CA is public by purpose. */
function plannedSecrets({ config: { v1, v2 }, credentials }: PlannedSigning): readonly string[] {
  return [v1, v2, ...credentials].flatMap((secret) => secret?.secretName ?? []);
}

function pathsOf(operations: readonly Operation[]): string {
  return operations
    .slice(0, 3)
    .map(({ path }) => path)
    .join(', ');
}
