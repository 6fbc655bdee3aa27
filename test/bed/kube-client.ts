/** A thin client of the Kubernetes API: what a test asks for, and the answer as it came. */
import { Agent } from 'node:https';
import { exchange as send, type Exchange } from './kube-exchange.ts';

/** An object of the API, as plain JSON. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
  };
}

/** Which object: its kind and where it is. */
export type KubeReference = KubeObject & { readonly metadata: { readonly name: string } };

/** Why a request was refused: `Status` of meta/v1. */
export interface KubeStatus {
  readonly kind: 'Status';
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly details?: { readonly causes?: readonly { readonly message?: string }[] };
}

/** The answer to a request. */
export type KubeAnswer<Body> = {
  /** HTTP status. */
  readonly status: number;
  /** Texts of the Warning headers, as kubectl would print them. */
  readonly warnings: readonly string[];
} & (
  | { readonly ok: true; readonly object: Body; readonly failure?: never }
  | { readonly ok: false; readonly object?: never; readonly failure: KubeStatus }
);

/** How to ask. */
export interface KubeOptions {
  /** Everything but the storing: admission webhooks are called. */
  readonly dryRun?: boolean;
  /** Whom to ask as, instead of the admin; of a service account the groups are implied. */
  readonly as?: string;
  readonly groups?: readonly string[];
  /** `ephemeralcontainers`, `status`. */
  readonly subresource?: string;
  /** Whether an apply takes over fields of others; it does by default. */
  readonly force?: boolean;
  /** How lists are merged by a patch: `strategic` by the names of their elements, as kubectl does. */
  readonly merge?: 'strategic';
}

/** A client with the rights of one user. Nothing throws on a refusal: see {@link demand}. */
export interface KubeClient {
  get<T extends KubeReference>(reference: T, options?: KubeOptions): Promise<KubeAnswer<T>>;
  /** All objects of a kind, in one namespace or in all. */
  list(
    kind: Pick<KubeObject, 'apiVersion' | 'kind'> & { readonly namespace?: string },
    options?: KubeOptions,
  ): Promise<KubeAnswer<{ readonly items: readonly KubeObject[] }>>;
  /** POST. */
  create<T extends KubeObject>(object: T, options?: KubeOptions): Promise<KubeAnswer<T>>;
  /** POST of something else about an object: `token` of a service account. */
  createSubresource<T extends object>(
    reference: KubeReference,
    subresource: string,
    body: T,
    options?: KubeOptions,
  ): Promise<KubeAnswer<T>>;
  /** PUT: replaces the object. */
  update<T extends KubeReference>(object: T, options?: KubeOptions): Promise<KubeAnswer<T>>;
  /** Server-side apply, as field manager `test`. */
  apply<T extends KubeReference>(object: T, options?: KubeOptions): Promise<KubeAnswer<T>>;
  /** A merge patch, as kpack's controller sends it; null removes a member. */
  patch<T extends KubeReference>(
    reference: T,
    change: object,
    options?: KubeOptions,
  ): Promise<KubeAnswer<T>>;
  delete(reference: KubeReference, options?: KubeOptions): Promise<KubeAnswer<KubeObject>>;
  /** The text at a path that serves no object, such as `/metrics`. */
  text(path: string): Promise<string>;
  /** Closes the connections that are kept open. */
  close(): void;
}

/** Where an API server is, and who asks it. */
export interface KubeAccess {
  /** `https://127.0.0.1:<port>`. */
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  /** A client certificate, in PEM, or a bearer token. */
  readonly user:
    { readonly certificatePem: string; readonly keyPem: string } | { readonly token: string };
}

/** A client of an API server; it opens connections when it is first used. */
export function kubeClient({ url, ca, user }: KubeAccess): KubeClient {
  const agent = new Agent({
    keepAlive: true,
    ca,
    ...('token' in user ? {} : { cert: user.certificatePem, key: user.keyPem }),
  });
  const authorization = 'token' in user ? { authorization: `Bearer ${user.token}` } : {};
  const exchange = (
    method: string,
    path: string,
    { type = 'application/json', body, as, groups }: Sent = {},
  ): Promise<Exchange> => {
    const headers = {
      ...authorization,
      accept: 'application/json, */*',
      ...(body !== undefined && { 'content-type': type }),
      ...(as !== undefined && { 'impersonate-user': as }),
      ...(groups !== undefined && { 'impersonate-group': [...groups] }),
    };
    const text = body === undefined ? undefined : JSON.stringify(body);
    return send(url + path, { agent, method, headers }, text);
  };
  const ask = async <T>(
    method: string,
    path: string,
    options: KubeOptions = {},
    sent: Sent = {},
  ): Promise<KubeAnswer<T>> => {
    const { as, groups, dryRun } = options;
    const query = dryRun ? `${path.includes('?') ? '&' : '?'}dryRun=All` : '';
    const { status, body, warnings } = await exchange(method, path + query, {
      ...sent,
      ...(as !== undefined && { as }),
      ...(groups !== undefined && { groups }),
    });
    return status < 300
      ? { ok: true, status, warnings, object: JSON.parse(body) as T }
      : { ok: false, status, warnings, failure: failureOf(status, body) };
  };
  return {
    get: (reference, options) => ask('GET', pathOf(reference, options), options),
    list: ({ namespace, ...kind }, options) => {
      const metadata = namespace === undefined ? {} : { namespace };
      return ask('GET', pathOf({ ...kind, metadata }, options), options);
    },
    create: (object, options) => {
      // An object that is made has no path of its own yet.
      const { namespace } = object.metadata;
      const metadata = namespace === undefined ? {} : { namespace };
      return ask('POST', pathOf({ ...object, metadata }, options), options, { body: object });
    },
    createSubresource: (reference, subresource, body, options) =>
      ask('POST', pathOf(reference, { subresource }), options, { body }),
    update: (object, options) => ask('PUT', pathOf(object, options), options, { body: object }),
    apply: (object, options) =>
      ask(
        'PATCH',
        `${pathOf(object, options)}?fieldManager=test&force=${options?.force ?? true}`,
        options,
        {
          type: 'application/apply-patch+yaml',
          body: object,
        },
      ),
    patch: (reference, change, options) =>
      ask('PATCH', pathOf(reference, options), options, {
        type:
          options?.merge === 'strategic'
            ? 'application/strategic-merge-patch+json'
            : 'application/merge-patch+json',
        body: change,
      }),
    delete: (reference, options) => ask('DELETE', pathOf(reference, options), options),
    text: async (path) => {
      const { status, body } = await exchange('GET', path);
      if (status === 200) return body;
      throw new Error(`GET ${path} was answered with HTTP ${status}: ${body}`);
    },
    close: () => agent.destroy(),
  };
}

/**
 * The object of an answer that has to be one.
 *
 * @throws Error with status and message of the refusal
 */
export function demand<T>(answer: KubeAnswer<T>): T {
  if (answer.ok) return answer.object;
  const { reason, message } = answer.failure;
  throw new Error(`the API server answered ${answer.status} ${reason}: ${message}`);
}

/** What goes out beside method and path. */
interface Sent extends Pick<KubeOptions, 'as' | 'groups'> {
  readonly type?: string;
  readonly body?: object;
}

/** The path of an object, or of all of a kind; the plural is made as English makes it. */
function pathOf({ apiVersion, kind, metadata }: KubeObject, options?: KubeOptions): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { namespace, name } = metadata;
  const singular = kind.toLowerCase().replace(/y$/, 'ie');
  const resource = singular.endsWith('s') ? `${singular}es` : `${singular}s`;
  const segments = [
    ...(namespace === undefined ? [] : ['namespaces', namespace]),
    resource,
    ...(name === undefined ? [] : [name]),
    ...(options?.subresource === undefined ? [] : [options.subresource]),
  ];
  return `${root}/${segments.map(encodeURIComponent).join('/')}`;
}

/** The Status of a refusal; what is in the way of one (a timeout, a broken server) as one. */
function failureOf(status: number, body: string): KubeStatus {
  try {
    const parsed = JSON.parse(body) as KubeStatus | KubeObject;
    if ('code' in parsed) return parsed;
  } catch {
    // Plain text, shown as it is.
  }
  return { kind: 'Status', code: status, reason: 'Unknown', message: body };
}
