import { isIP } from 'node:net';
import { SigningError } from '../../shared/signing-error.ts';
import { parseNoProxy } from './no-proxy.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A forward proxy. */
export interface ProxyServer {
  /** http or https; without user name and password. */
  readonly url: URL;
  /** Whose certificate it has to show; empty where it is an address. */
  readonly serverName: string;
  /** Value of Proxy-Authorization. */
  readonly authorization: string | undefined;
}

export interface ProxySettings {
  /**
   * Undefined: straight to the server.
   *
   * @throws SigningError SERVER_UNREACHABLE when the variable for that server names no proxy
   */
  proxyFor(url: URL): ProxyServer | undefined;
}

/** What to do when a proxy does not lead to a server. */
export const PROXY_FIX =
  'Check HTTPS_PROXY (HTTP_PROXY for http URLs) of the build; what needs no proxy belongs into NO_PROXY.';

/**
 * Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in upper and lower case, as Go's programs do. A proxy
 * without a scheme is an http one. One that cannot be read matters where it is needed alone.
 */
export function readProxySettings(environment: Environment): ProxySettings {
  const read = (name: string) => environment[name] || environment[name.toLowerCase()];
  const noProxy = parseNoProxy(read('NO_PROXY') ?? '');
  return {
    proxyFor: (url) => {
      const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
      const value = read(name)?.trim();
      if (!value || noProxy.bypasses(url)) return undefined;
      const proxy = parseProxy(value);
      if (proxy) return proxy;
      // The value may hold a password.
      const message = `${url.origin} cannot be reached: ${name} is not the URL of an http or https proxy`;
      throw new SigningError('SERVER_UNREACHABLE', message, { fix: PROXY_FIX });
    },
  };
}

/**
 * The URL of a proxy, its scheme left out or not. URL alone would read a backslash as the end of the
 * host, and make up missing slashes: `http:/proxy` and `CORP\\user:password@proxy` are other hosts.
 */
const PROXY_URL =
  /^(?:https?:\/\/)?(?:[^\s/\\?#]*@)?(?:\[[0-9a-f:.]+\]|[^\s/\\?#@:[\]]+)(?::\d+)?(?:[/?#][^\s\\@]*)?$/i;

function parseProxy(value: string): ProxyServer | undefined {
  if (!PROXY_URL.test(value)) return undefined;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(text)) return undefined;
  const { protocol, host, username, password } = new URL(text);
  if (protocol !== 'http:' && protocol !== 'https:') return undefined;
  const url = new URL(`${protocol}//${host}`);
  const { hostname } = url;
  const serverName = isIP(hostname.replace(/^\[(.*)\]$/, '$1')) === 0 ? hostname : '';
  if (username === '' && password === '') return { url, serverName, authorization: undefined };
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
    return { url, serverName, authorization };
  } catch {
    return undefined;
  }
}
