import fastJsonPatch from 'fast-json-patch';
import type { WebhookErrorCode } from '../../shared/error-code.ts';
import { describeProblems } from '../config/notary-config.ts';
import type { NotarySection } from '../config/notary-section.ts';
import { labelProblems } from '../config/signing-label.ts';
import type { BuildPod, Pod } from '../build-pod/build-pod.ts';
import { imageOwner, type ClusterFacts, type KpackObject } from './facts.ts';
import { whoElseReads } from '../injection/secret-exposure.ts';
import { kpackSignerIn, whyKpackSignerUnclear } from '../injection/remove-kpack-signer.ts';
import { type DenialStatus, type Verdict, type AllowCode, allow, deny } from './verdict.ts';

/** The mark of what only this gate makes. */
const byGate = Symbol('by the gate');

/** What a pod with kpack's build label is, before anybody asks whether it is to be signed. */
type Gate = Outside | Refused | BuildGate;

/** No build pod of a namespace that has opted in: left as it is. */
export interface Outside {
  readonly kind: 'outside';
  readonly code: Extract<AllowCode, 'NAMESPACE_OFF' | 'NO_BUILD'>;
  readonly reason: string;
}

/** Refused, whatever its Image says. */
export interface Refused {
  readonly kind: 'deny';
  readonly status: Extract<DenialStatus, 422 | 503>;
  readonly code: WebhookErrorCode;
  readonly reason: string;
}

/**
 * A build pod: kpack posted it, and the Build that controls it is proven, with its Image. Only
 * {@link gateOf} makes one.
 */
export interface BuildGate {
  readonly kind: 'build';
  readonly build: KpackObject;
  /** The Image that controls the Build; a Build made by hand has none. */
  readonly image: KpackObject | undefined;
  /** What the Namespace says about signing. */
  readonly admin: NotarySection;
  readonly [byGate]: true;
}

/** What may be said of a pod: refused, or let in by this gate. */
export type PodVerdict = Extract<Verdict, { kind: 'deny' }> | LetIn;

/** The answer that lets a pod in. Only {@link leave} and {@link letIn} make one. */
export type LetIn = Extract<Verdict, { kind: 'allow' }> & { readonly [byGate]: true };

/**
 * Who stands behind a pod, and what holds for it whatever is planned for it. A pod that kpack posted
 * gets no further without proof of the Build and Image that own it; nobody else gets a key mounted.
 *
 * @param requester account that posted the pod
 * @param kpackUsers accounts that kpack posts build pods with
 */
export function gateOf(
  pod: BuildPod,
  requester: string,
  facts: ClusterFacts,
  kpackUsers: readonly string[],
): Gate {
  const { owner } = pod;
  const { mode, namespace: admin } = facts;
  if (mode === 'off') return outside('NAMESPACE_OFF', 'the namespace is not opted in');
  if (mode === 'invalid') {
    return refuse(422, 'NAMESPACE_LABEL_INVALID', describeProblems(labelProblems(admin.source)));
  }
  if (!kpackUsers.includes(requester)) {
    return owner
      ? refuse(
          422,
          'REQUESTER_NOT_KPACK',
          `${requester} posted a pod of Build ${owner.name}; --kpack-user is ${kpackUsers.join(', ')}`,
        )
      : outside(
          'NO_BUILD',
          'the pod has no kpack Build as its controller; if it is to be signed, have kpack build it',
        );
  }
  if (!owner) {
    return refuse(
      422,
      'OWNER_NOT_BUILD',
      `${requester} posted pod ${pod.name}, and no Build of kpack.io is its controller`,
    );
  }
  const { build, image } = facts;
  if (!build) return unproven(`Build ${owner.name} does not exist`);
  if (build.object.metadata.uid !== owner.uid) {
    return unproven(`Build ${owner.name} has another UID than the owner of the pod`);
  }
  const imageReference = imageOwner(build.object);
  if (imageReference && image?.object.metadata.uid !== imageReference.uid) {
    const what = image ? 'has another UID than the owner of the Build' : 'does not exist';
    return unproven(`Image ${imageReference.name} ${what}`);
  }
  const unclear = whyKpackSignerUnclear(pod.pod);
  if (unclear !== undefined) return refuse(422, 'ARGUMENTS_AMBIGUOUS', unclear);
  return { kind: 'build', build, image, admin, [byGate]: true };
}

/** Lets in what the gate is not for. */
export function leave(
  { code, reason }: Outside,
  [before, after]: readonly [before: Pod, after: Pod],
  warnings: readonly string[],
): PodVerdict {
  const patch = fastJsonPatch.compare(before, after);
  return { ...allow(code, reason, warnings), patch, [byGate]: true };
}

/**
 * Lets a build pod in, if what holds for all of them holds for it as it is going to be. kpack's own
 * signer does not run. Nobody but the signing container reaches the signing Secrets of its Namespace and
 * those of its own plan.
 *
 * @param planned Secrets of its plan that are as secret
 */
export function letIn(
  gate: BuildGate,
  [before, after]: readonly [before: Pod, after: Pod],
  planned: readonly string[],
  {
    code,
    reason,
    warnings = [],
  }: { readonly code: AllowCode; readonly reason: string; readonly warnings?: readonly string[] },
): PodVerdict {
  const signer = kpackSignerIn(after);
  if (signer !== undefined) return deny(503, 'KPACK_SIGNER_LEFT', signer);
  const reader = whoElseReads(after, new Set([...gate.admin.signingSecrets, ...planned]));
  if (reader !== undefined) return deny(422, 'SECRET_EXPOSED', reader);
  const patch = before === after ? [] : fastJsonPatch.compare(before, after);
  return { ...allow(code, reason, warnings), patch, [byGate]: true };
}

function outside(code: Outside['code'], reason: string): Outside {
  return { kind: 'outside', code, reason };
}

function refuse(status: Refused['status'], code: WebhookErrorCode, reason: string): Refused {
  return { kind: 'deny', status, code, reason };
}

/** Build and Image may be on their way: kpack posts the pod again. */
function unproven(reason: string): Refused {
  return refuse(503, 'OWNER_UNPROVEN', reason);
}
