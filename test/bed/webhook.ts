/** Our own webhook, as its own process, and what an API server would say to it. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join, resolve } from 'node:path';
import fastJsonPatch, { type Operation } from 'fast-json-patch';
import type { Authority } from './authority.ts';
import { onFreePort } from './port.ts';
import { demandNoSecrets, secretsOfFiles, type Secret } from './secret-watch.ts';
import { startService } from './service.ts';

/** A webhook to start. */
export interface WebhookOptions {
  /** The bundled program. */
  readonly program: string;
  /** For its log and certificates; exists. */
  readonly directory: string;
  readonly authority: Authority;
  /** Beside those for port and certificate. */
  readonly args: readonly string[];
}

/** A running webhook. */
export interface Webhook {
  readonly url: string;
  readonly pid: number;
  /** Its log, one JSON object a line; from its first start on. */
  output(): string;
  /** Posts an object as the API server would, and returns the response part of the review. */
  post(path: 'mutate' | 'validate', review: ReviewOptions): Promise<AdmissionResponse>;
  /** Ends it at once; {@link Webhook.restart} brings it back. */
  kill(): Promise<void>;
  /** Ends it as a kubelet does, and waits as long as that takes. */
  terminate(): Promise<void>;
  /** Starts it anew at the same address, and waits until it is ready. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A request of the API server. */
export interface ReviewOptions {
  /** With apiVersion and kind. */
  readonly object: object;
  readonly oldObject?: object;
  readonly operation?: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly subResource?: string;
  /** kpack's controller by default. */
  readonly username?: string;
}

/** The response part of an AdmissionReview. */
export interface AdmissionResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
  readonly warnings?: readonly string[];
  readonly patchType?: string;
  /** Base64 of a JSON patch. */
  readonly patch?: string;
}

/** How much of its log is kept, in characters: tests count its lines. */
const OUTPUT_LIMIT = 16 * 1024 * 1024;

/** The account that kpack's own manifests give its controller. */
export const KPACK_USER = 'system:serviceaccount:kpack:controller';

/**
 * Starts the webhook on a free port of loopback. Its answers, and its log when it is stopped, are
 * searched for what is in the Secrets of its manifests: then post and stop reject.
 */
export async function startWebhook(options: WebhookOptions): Promise<Webhook> {
  const { program, directory, authority, args } = options;
  const certificate = await authority.issue({ name: 'webhook' });
  const secrets = await secretsOfManifests(directory, args);
  return onFreePort(async (port) => {
    const service = await startService({
      program: 'node',
      args: [
        program,
        `--port=${port}`,
        `--tls-cert=${certificate.certificateFile}`,
        `--tls-key=${certificate.keyFile}`,
        // Off, unless asked for: several run on one machine.
        ...unless(args, '--metrics-port=0'),
        // Nobody sends requests to where it was.
        ...unless(args, '--shutdown-delay=0'),
        ...args,
      ],
      directory,
      ready: port,
      outputLimit: OUTPUT_LIMIT,
    });
    let earlier = '';
    const output = () => earlier + service.output();
    const url = `https://localhost:${port}`;
    return {
      url,
      pid: service.child.pid,
      output,
      kill: () => service.kill(),
      terminate: () => {
        service.child.kill('SIGTERM');
        return service.child.gone;
      },
      restart: async () => {
        await service.kill();
        earlier = output();
        await service.restart();
      },
      stop: async () => {
        await service.stop();
        demandNoSecrets(secrets, { log: output() });
      },
      post: async (path, review) => {
        const body = JSON.stringify(admissionReview(review));
        const answer = await postJson(`${url}/${path}`, body, authority.certificatePem);
        const { response } = JSON.parse(answer) as { response: AdmissionResponse };
        const { patch = '', ...rest } = response;
        const decoded = Buffer.from(patch, 'base64').toString();
        demandNoSecrets(secrets, { response: JSON.stringify(rest), patch: decoded });
        return response;
      },
    };
  });
}

/** A flag with its value, where it is not among those asked for. */
function unless(args: readonly string[], flag: string): readonly string[] {
  const name = flag.slice(0, flag.indexOf('=') + 1);
  return args.some((arg) => arg.startsWith(name)) ? [] : [flag];
}

/** What is secret in a directory of manifests that the flags name. */
async function secretsOfManifests(
  directory: string,
  args: readonly string[],
): Promise<readonly Secret[]> {
  const [named] = args.flatMap((word) => /^--manifests=(.+)$/.exec(word)?.[1] ?? []);
  if (named === undefined) return [];
  const manifests = resolve(directory, named);
  const files = (await readdir(manifests)).filter((file) => file.startsWith('secret-'));
  const secrets = files.map(async (file) => {
    const { data = {} } = JSON.parse(await readFile(join(manifests, file), 'utf8')) as {
      readonly data?: Readonly<Record<string, string>>;
    };
    const decoded = Object.entries(data).map(([name, value]): [string, string] => [
      name,
      Buffer.from(value, 'base64').toString(),
    ]);
    return secretsOfFiles(file, Object.fromEntries(decoded));
  });
  return (await Promise.all(secrets)).flat();
}

/** The object after the patch of a response; every operation is checked as it is applied. */
export function applyPatch<Value extends object>(
  object: Value,
  response: AdmissionResponse,
): Value {
  const text = Buffer.from(response.patch ?? '', 'base64').toString() || '[]';
  const patch = JSON.parse(text) as Operation[];
  const copy = fastJsonPatch.deepClone(object) as Value;
  return fastJsonPatch.applyPatch(copy, patch, true).newDocument;
}

/** An AdmissionReview as kube-apiserver writes it. */
export function admissionReview(options: ReviewOptions): object {
  const { object, oldObject, operation = 'CREATE', subResource, username = KPACK_USER } = options;
  const { apiVersion, kind, metadata } = object as {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly name?: string; readonly namespace?: string };
  };
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const gvk = { group, version, kind };
  const resource = { group, version, resource: `${kind.toLowerCase()}s` };
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: randomUUID(),
      kind: gvk,
      resource,
      requestKind: gvk,
      requestResource: resource,
      name: metadata.name,
      // As the API server has it, a Namespace is in itself.
      namespace: kind === 'Namespace' ? metadata.name : metadata.namespace,
      operation,
      ...(subResource !== undefined && { subResource }),
      userInfo: { username, groups: ['system:authenticated'] },
      object,
      oldObject: oldObject ?? null,
      dryRun: false,
      options: {
        kind: `${operation === 'CREATE' ? 'Create' : 'Update'}Options`,
        apiVersion: 'meta.k8s.io/v1',
      },
    },
  };
}

function postJson(url: string, body: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request(url, { method: 'POST', headers, ca }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
