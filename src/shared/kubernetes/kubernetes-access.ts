import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent, ProxyAgent, type Dispatcher } from 'undici';

/** What a kubeconfig says about requests: the server, and the credentials to send. */
export interface Access {
  readonly origin: string;
  /** What stands before the paths of the API, without a slash at its end. */
  readonly basePath: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Connections that trust whom the kubeconfig trusts, by its proxy where it names one. */
  readonly agent: Dispatcher;
}

/** The access as it is now. */
export interface AccessSource {
  /** @throws Error when credentials cannot be had */
  current(): Promise<Access>;
  /** Makes the next call read everything again, because the API server refused the token. */
  forget(): void;
}

/**
 * How long credentials and CA are used before they are looked at again. Far shorter than the life of
 * a token that the kubelet has replaced, and far longer than reading files for each request.
 */
const FRESH_MS = 10_000;
/** As many connections as one review needs at once, and some; builds come seldom, and they stay. */
export const CONNECTIONS = 16;
const POOL = { connections: CONNECTIONS, keepAliveTimeout: 60_000 };

/** Keeps what client-node makes of a kubeconfig for a moment: it reads files for every request. */
export function accessSource(config: KubeConfig): AccessSource {
  const agentFor = connectionPool();
  let known: { readonly access: Promise<Access>; readonly until: number } | undefined;
  const read = async (): Promise<Access> => {
    const cluster = config.getCurrentCluster();
    if (!cluster) throw new Error('the kubeconfig names no cluster');
    const { origin, pathname } = new URL(cluster.server);
    const { headers, tls } = await credentialsOf(config);
    const agent = agentFor(tls, cluster.proxyUrl);
    return { origin, basePath: pathname.replace(/\/$/, ''), headers, agent };
  };
  const forget = () => (known = undefined);
  return {
    current: () => {
      if (known === undefined || performance.now() > known.until) {
        const access = read();
        known = { access, until: performance.now() + FRESH_MS };
        access.catch(forget);
      }
      return known.access;
    },
    forget,
  };
}

type TlsOptions = Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'servername'>;

/** Connections by TLS settings: those of a certificate or CA that was replaced are not used again. */
function connectionPool(): (tls: TlsOptions, proxyUrl: string | undefined) => Dispatcher {
  let current: { readonly settings: string; readonly agent: Dispatcher } | undefined;
  return (tls, proxyUrl) => {
    const settings = JSON.stringify([tls, proxyUrl]);
    if (current?.settings !== settings) {
      void current?.agent.close();
      const agent =
        proxyUrl === undefined
          ? new Agent({ ...POOL, connect: tls })
          : new ProxyAgent({ ...POOL, uri: proxyUrl, requestTls: tls });
      current = { settings, agent };
    }
    return current.agent;
  };
}

async function credentialsOf(
  config: KubeConfig,
): Promise<{ readonly headers: Access['headers']; readonly tls: TlsOptions }> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options).catch((cause: unknown) => {
    const exec = config.getCurrentUser()?.exec as { readonly command?: string } | undefined;
    if (!exec) throw cause;
    // Its own words may hold the token.
    const command = exec.command ?? 'the exec plug-in';
    throw new Error(
      `${command}, which the kubeconfig names for credentials, gave none; run it by hand to see why`,
      { cause },
    );
  });
  const { ca, cert, key, rejectUnauthorized, servername, auth } = options;
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key, rejectUnauthorized, servername }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const basic = auth && { authorization: `Basic ${Buffer.from(auth).toString('base64')}` };
  return { headers: { ...(options.headers as Access['headers'] | undefined), ...basic }, tls };
}
