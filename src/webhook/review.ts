import { KPACK_GROUP } from '../shared/names.ts';
import type { ConfigSource } from '../shared/notary-section.ts';
import { allow, type AdmissionRequest, type Verdict } from './admission.ts';
import { readBuildPod } from './build-pod.ts';
import { reviewConfig } from './config-review.ts';
import { reviewNewPod, type Question, type ReviewSettings } from './new-pod-review.ts';

const NOT_OURS = allow('NOT_OURS', 'not ours to judge');

/** Answers one request: leads it to who judges its kind of object. */
export async function review(
  question: Question,
  request: AdmissionRequest,
  settings: ReviewSettings,
): Promise<Verdict> {
  const { kind, operation, subResource, object } = request;
  const configKind = configKindOf(kind);
  if (configKind) {
    const isWrite = operation === 'CREATE' || operation === 'UPDATE';
    return question === 'validate' && isWrite && subResource === undefined
      ? reviewConfig(configKind, request, settings)
      : NOT_OURS;
  }
  const isNewPod = kind.group === '' && kind.kind === 'Pod' && operation === 'CREATE';
  const pod = isNewPod && subResource === undefined ? readBuildPod(object) : undefined;
  return pod ? reviewNewPod(question, pod, request, settings) : NOT_OURS;
}

/** The kinds that people configure signing on. */
function configKindOf({ group, kind }: AdmissionRequest['kind']): ConfigSource['kind'] | undefined {
  if (group === KPACK_GROUP && (kind === 'Image' || kind === 'Build')) return kind;
  return group === '' && kind === 'Namespace' ? kind : undefined;
}
