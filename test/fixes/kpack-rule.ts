/**
 * What kpack's own webhook refuses (v0.17.2, `validateNotary` and `validateCnbBindings`), as a policy
 * of the API server. It is asked about v1alpha2 alone. Only kpack's controller may write Images and
 * Builds that have a notary section or CNB bindings.
 */
import type { KubeReference } from '../bed/kube-client.ts';
import { KPACK_USER } from '../bed/webhook.ts';

const NAME = 'kpack-notary-section';
const GROUP = 'admissionregistration.k8s.io/v1';

const CLEAN = [
  '!has(object.spec.notary)',
  '!has(object.spec.cnbBindings)',
  '(!has(object.spec.build) || !has(object.spec.build.cnbBindings))',
];

/** The policy and its binding. */
export const KPACK_RULE: readonly (KubeReference & { readonly spec: object })[] = [
  {
    apiVersion: GROUP,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: NAME },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        matchPolicy: 'Exact',
        resourceRules: [
          {
            apiGroups: ['kpack.io'],
            apiVersions: ['v1alpha2'],
            operations: ['CREATE', 'UPDATE'],
            resources: ['images', 'builds'],
          },
        ],
      },
      validations: [
        {
          expression: `request.userInfo.username == '${KPACK_USER}' || (${CLEAN.join(' && ')})`,
          message:
            'use of this field has been deprecated in v1alpha2, please use v1alpha1 for notary image signing: spec.notary',
        },
      ],
    },
  },
  {
    apiVersion: GROUP,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: NAME },
    spec: { policyName: NAME, validationActions: ['Deny'] },
  },
];
