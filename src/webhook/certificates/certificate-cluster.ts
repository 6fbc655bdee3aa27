import { ClusterError } from '../../shared/kubernetes/cluster.ts';
import type { AccessSource } from '../../shared/kubernetes/kubernetes-access.ts';
import {
  demandOk,
  isNotFound,
  JSON_TYPE,
  parseJson,
  request,
  type Answer,
  type Write,
} from '../../shared/kubernetes/kubernetes-request.ts';
import type {
  ConfigurationKind,
  SecretObject,
  Seen,
  WebhookConfiguration,
} from './certificate-plan.ts';
import type { SecretData } from './issuing-ca.ts';

/** The field manager that owns every `caBundle`. */
const FIELD_MANAGER = 'kpack-notary-webhook';
const GROUP = 'admissionregistration.k8s.io';
const RESOURCE: Readonly<Record<ConfigurationKind, string>> = {
  MutatingWebhookConfiguration: 'mutatingwebhookconfigurations',
  ValidatingWebhookConfiguration: 'validatingwebhookconfigurations',
};
/** A request that takes longer counts as failed. */
const TIMEOUT_MS = 10_000;

/** The Kubernetes API, as far as certificates need it: one Secret, and two webhook configurations. */
export type CertificateCluster = ReturnType<typeof certificateCluster>;

/**
 * @param secret name of the Secret; undefined: none is read, and its state is unknown
 * @param configuration name of both webhook configurations
 */
export function certificateCluster(
  source: AccessSource,
  {
    namespace,
    secret,
    configuration,
  }: {
    readonly namespace: string;
    readonly secret: string | undefined;
    readonly configuration: string;
  },
) {
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

  return {
    /**
     * Everything as it is now. Does not throw: what could not be read is unknown, and a problem. `date`
     * is by the clock of the API server, in ms since 1970; undefined where it did not say.
     */
    async look(signal: AbortSignal) {
      const problems: Error[] = [];
      let date: number | undefined;
      const read = async <T>(
        path: string,
        permission: readonly [group: string, resource: string, namespace?: string],
        parse: (answer: Answer, path: string) => T,
      ): Promise<T | 'absent' | 'unknown'> => {
        try {
          const answer = await ask(path, signal);
          const isAbsent = isNotFound(answer);
          if (!isAbsent) demandOk(answer, `GET ${path}`, 'get', ...permission);
          const value = isAbsent ? ('absent' as const) : parse(answer, path);
          date = answer.date ?? date;
          return value;
        } catch (error) {
          problems.push(error as Error);
          return 'unknown';
        }
      };
      const readConfiguration = (kind: ConfigurationKind) =>
        read(pathOf(kind), [GROUP, RESOURCE[kind]], (answer, path) =>
          configurationOf(answer, kind, path),
        );
      const [stored, MutatingWebhookConfiguration, ValidatingWebhookConfiguration] =
        await Promise.all([
          secret === undefined
            ? ('unknown' as const)
            : read(secretPath, ['', 'secrets', namespace], secretOf),
          readConfiguration('MutatingWebhookConfiguration'),
          readConfiguration('ValidatingWebhookConfiguration'),
        ]);
      const configurations = { MutatingWebhookConfiguration, ValidatingWebhookConfiguration };
      const seen: Seen = { secret: stored, configurations };
      return { seen, problems: problems as readonly Error[], date };
    },
    /**
     * Writes the Secret if it is still as it was seen; makes it where there was none.
     *
     * @returns the Secret as it is then; undefined when somebody else was faster
     * @throws ClusterError
     */
    async writeSecret(seen: SecretObject | 'absent', data: SecretData, signal: AbortSignal) {
      const isNew = seen === 'absent';
      const metadata = { name: secret, namespace };
      const object = isNew ? { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata } : seen;
      const path = isNew ? secrets : secretPath;
      const method = isNew ? 'POST' : 'PUT';
      const answer = await ask(path, signal, {
        method,
        contentType: JSON_TYPE,
        body: JSON.stringify({ ...object, data }),
      });
      // Made, changed or deleted by somebody else meanwhile.
      if (answer.status === 409 || (!isNew && isNotFound(answer))) return undefined;
      if (answer.status === 422) {
        const fix = 'Where the Secret is immutable, delete it: a new one is made.';
        throw new ClusterError(`${method} ${path} was answered with HTTP 422`, { fix });
      }
      const verb = isNew ? 'create' : 'update';
      demandOk(answer, `${method} ${path}`, verb, '', 'secrets', namespace);
      return secretOf(answer, path);
    },
    /**
     * Gives every entry of a configuration the same `caBundle` if it is still as it was seen.
     *
     * @returns the configuration as it is then; undefined when somebody else was faster
     * @throws ClusterError
     */
    async applyCaBundle(
      { kind, name, resourceVersion, entries }: WebhookConfiguration,
      caBundle: string,
      signal: AbortSignal,
    ) {
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
      demandOk(answer, `PATCH ${path}`, 'patch', GROUP, RESOURCE[kind]);
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
