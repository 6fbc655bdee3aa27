import type { SecretData } from './issuing-ca.ts';
import type {
  ConfigurationKind,
  SecretObject,
  Seen,
  WebhookConfiguration,
} from './certificate-plan.ts';
import { ClusterError } from '../../shared/kubernetes/cluster.ts';
import type { AccessSource } from '../../shared/kubernetes/kubernetes-access.ts';
import {
  demandOk,
  isNotFound,
  JSON_TYPE,
  parseJson,
  refusalOf,
  request,
  type Answer,
  type Write,
} from '../../shared/kubernetes/kubernetes-request.ts';

/** What our certificates need of a cluster: one Secret, and our two webhook configurations. */
export interface CertificateCluster {
  /** Everything as it is now. Does not throw: what could not be read is unknown, and told. */
  look(signal: AbortSignal): Promise<Look>;
  /**
   * Writes the Secret if it is still as it was seen; makes it where there was none.
   *
   * @returns the Secret as it is then; undefined when somebody else was faster
   * @throws ClusterError
   */
  writeSecret(
    seen: SecretObject | 'absent',
    data: SecretData,
    signal: AbortSignal,
  ): Promise<SecretObject | undefined>;
  /**
   * Gives every entry of a configuration the same `caBundle` if it is still as it was seen.
   *
   * @returns the configuration as it is then; undefined when somebody else was faster
   * @throws ClusterError
   */
  applyCaBundle(
    seen: WebhookConfiguration,
    caBundle: string,
    signal: AbortSignal,
  ): Promise<WebhookConfiguration | undefined>;
}

/** One look at the cluster. */
export interface Look {
  readonly seen: Seen;
  readonly problems: readonly Error[];
  /** By the clock of the API server, in ms since 1970; undefined where it did not say. */
  readonly date: number | undefined;
}

/** Where our objects are. */
export interface CertificateObjects {
  readonly namespace: string;
  /** Name of the Secret; undefined: none is read, and its state is unknown. */
  readonly secret: string | undefined;
  /** Name of both webhook configurations. */
  readonly configuration: string;
}

/** Under which name our fields of the configurations are ours. */
const FIELD_MANAGER = 'kpack-notary-webhook';
const GROUP = 'admissionregistration.k8s.io';
const RESOURCE: Readonly<Record<ConfigurationKind, string>> = {
  MutatingWebhookConfiguration: 'mutatingwebhookconfigurations',
  ValidatingWebhookConfiguration: 'validatingwebhookconfigurations',
};
/** A request that takes longer counts as failed. */
const TIMEOUT_MS = 10_000;

interface Dated<T> {
  readonly date: number | undefined;
  readonly value: T | 'absent';
}

/** Our certificates' view of the Kubernetes API. */
export function certificateCluster(
  source: AccessSource,
  { namespace, secret, configuration }: CertificateObjects,
): CertificateCluster {
  const secrets = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
  const secretPath = `${secrets}/${encodeURIComponent(secret ?? '')}`;
  const pathOf = (kind: ConfigurationKind) =>
    `/apis/${GROUP}/v1/${RESOURCE[kind]}/${encodeURIComponent(configuration)}`;
  const ask = (path: string, signal: AbortSignal, write?: Write): Promise<Answer> =>
    withinTimeLimit(signal, (either) =>
      request(source, {
        path,
        accept: JSON_TYPE,
        signal: either,
        ...(write !== undefined && { write }),
      }),
    );

  const readSecret = async (signal: AbortSignal): Promise<Dated<SecretObject>> => {
    const answer = await ask(secretPath, signal);
    if (isNotFound(answer)) return { date: answer.date, value: 'absent' };
    demandOk(answer, `GET ${secretPath}`, refusalOf(answer, 'get', '', 'secrets', namespace));
    return { date: answer.date, value: secretOf(answer, secretPath) };
  };
  const readConfiguration =
    (kind: ConfigurationKind) =>
    async (signal: AbortSignal): Promise<Dated<WebhookConfiguration>> => {
      const path = pathOf(kind);
      const answer = await ask(path, signal);
      if (isNotFound(answer)) return { date: answer.date, value: 'absent' };
      demandOk(answer, `GET ${path}`, refusalOf(answer, 'get', GROUP, RESOURCE[kind]));
      return { date: answer.date, value: configurationOf(answer, kind, path) };
    };

  return {
    async look(signal) {
      const problems: Error[] = [];
      let date: number | undefined;
      const read = async <T>(
        what: (signal: AbortSignal) => Promise<Dated<T>>,
      ): Promise<T | 'absent' | 'unknown'> => {
        try {
          const answer = await what(signal);
          date = answer.date ?? date;
          return answer.value;
        } catch (error) {
          problems.push(error as Error);
          return 'unknown';
        }
      };
      const [stored, mutating, validating] = await Promise.all([
        secret === undefined ? ('unknown' as const) : read(readSecret),
        read(readConfiguration('MutatingWebhookConfiguration')),
        read(readConfiguration('ValidatingWebhookConfiguration')),
      ]);
      const configurations = {
        MutatingWebhookConfiguration: mutating,
        ValidatingWebhookConfiguration: validating,
      };
      return { seen: { secret: stored, configurations }, problems, date };
    },
    async writeSecret(seen, data, signal) {
      const isNew = seen === 'absent';
      const object = isNew
        ? {
            apiVersion: 'v1',
            kind: 'Secret',
            type: 'Opaque',
            metadata: { name: secret, namespace },
          }
        : seen;
      const path = isNew ? secrets : secretPath;
      const method = isNew ? 'POST' : 'PUT';
      const answer = await ask(path, signal, {
        method,
        contentType: JSON_TYPE,
        body: JSON.stringify({ ...object, data }),
      });
      // Made, changed or deleted by somebody else meanwhile.
      if (answer.status === 409 || (!isNew && isNotFound(answer))) return undefined;
      const verb = isNew ? 'create' : 'update';
      demandOk(answer, `${method} ${path}`, {
        ...(answer.status === 422 && {
          fix: 'Where the Secret is immutable, delete it: a new one is made.',
        }),
        ...refusalOf(answer, verb, '', 'secrets', namespace),
      });
      return secretOf(answer, path);
    },
    async applyCaBundle({ kind, name, resourceVersion, entries }, caBundle, signal) {
      const path = pathOf(kind);
      const answer = await ask(`${path}?fieldManager=${FIELD_MANAGER}&force=true`, signal, {
        method: 'PATCH',
        contentType: 'application/apply-patch+yaml',
        // All entries, since what is left out of an apply is taken away; and no other field of them.
        body: JSON.stringify({
          apiVersion: `${GROUP}/v1`,
          kind,
          metadata: { name, resourceVersion },
          webhooks: entries.map((entry) => ({ name: entry.name, clientConfig: { caBundle } })),
        }),
      });
      if (answer.status === 409 || isNotFound(answer)) return undefined;
      demandOk(answer, `PATCH ${path}`, refusalOf(answer, 'patch', GROUP, RESOURCE[kind]));
      return configurationOf(answer, kind, path);
    },
  };
}

/**
 * Ends work when its signal or its time does. Not by AbortSignal.any: Node 20 forgets an
 * AbortSignal.timeout in it when it collects garbage, and never lets go of what it makes of a signal that stays.
 */
async function withinTimeLimit<T>(
  signal: AbortSignal,
  work: (either: AbortSignal) => Promise<T>,
): Promise<T> {
  const either = new AbortController();
  const end = () => either.abort(signal.reason);
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  const timer = setTimeout(
    () => either.abort(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)),
    TIMEOUT_MS,
  );
  try {
    return await work(either.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}

function secretOf({ body }: Answer, path: string): SecretObject {
  const object = parseJson(body) as Partial<SecretObject> | null | undefined;
  if (typeof object?.metadata?.resourceVersion !== 'string') {
    throw new ClusterError(`${path} was answered with something else than a Secret`);
  }
  return object as SecretObject;
}

function configurationOf(
  { body, date }: Answer,
  kind: ConfigurationKind,
  path: string,
): WebhookConfiguration {
  const object = parseJson(body) as Partial<ConfigurationObject> | null | undefined;
  const { name, resourceVersion } = object?.metadata ?? {};
  if (typeof name !== 'string' || typeof resourceVersion !== 'string') {
    throw new ClusterError(`${path} was answered with something else than a ${kind}`);
  }
  const entries = (object?.webhooks ?? []).map((entry) => ({
    name: entry.name,
    caBundle: entry.clientConfig.caBundle ?? '',
  }));
  const times = (object?.metadata?.managedFields ?? []).map(({ time }) => Date.parse(time ?? ''));
  const unchangedFor = date === undefined || times.length === 0 ? 0 : date - Math.max(...times);
  return { kind, name, resourceVersion, entries, ...(unchangedFor > 0 && { unchangedFor }) };
}

/** The members of a webhook configuration that are read. */
interface ConfigurationObject {
  readonly metadata: {
    readonly name?: unknown;
    readonly resourceVersion?: unknown;
    readonly managedFields?: readonly { readonly time?: string }[];
  };
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: { readonly caBundle?: string };
  }[];
}
