import { BlockList, isIP } from 'node:net';
import { domainToASCII } from 'node:url';

/** Whether a host (without brackets) and port are meant. */
type Rule = (host: string, port: string) => boolean;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Reads NO_PROXY as Go's programs do, separated by commas or spaces. `*` is all. `example.com` is it
 * and what is below it, `.example.com` or `*.example.com` what is below it alone. There are IP addresses
 * and blocks such as `10.0.0.0/8`. All but blocks may have a port. Names are not resolved. What cannot be
 * read means nothing.
 */
export function parseNoProxy(text: string) {
  const entries = text.toLowerCase().match(/[^\s,]+/g) ?? [];
  const rules = entries.map(parseEntry).filter((rule) => rule !== undefined);
  return {
    /** Whether a server is reached straight; loopback addresses and `localhost` always are. */
    bypasses: (url: URL): boolean => {
      const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
      const port = url.port || (url.protocol === 'https:' ? '443' : '80');
      return (
        host === 'localhost' || holds(LOOPBACK, host) || rules.some((rule) => rule(host, port))
      );
    },
  };
}

function parseEntry(entry: string): Rule | undefined {
  if (entry === '*') return () => true;
  const block = parseBlock(entry);
  if (block) return (host) => holds(block, host);
  const [name, onlyPort] = splitPort(entry);
  const meansHost = hostRule(name);
  return meansHost && ((host, port) => meansHost(host) && (onlyPort ?? port) === port);
}

/** `10.0.0.0/8` or `fd00::/8`. */
function parseBlock(entry: string): BlockList | undefined {
  const [, address = '', prefix = ''] = /^(.*)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = familyOf(address);
  if (!family || Number(prefix) > (family === 'ipv4' ? 32 : 128)) return undefined;
  const block = new BlockList();
  block.addSubnet(address, Number(prefix), family);
  return block;
}

function hostRule(name: string): ((host: string) => boolean) | undefined {
  const family = familyOf(name);
  if (family) {
    const one = new BlockList();
    one.addAddress(name, family);
    return (host) => holds(one, host);
  }
  // URLs have international names in their ASCII form.
  const ascii = /^[\0-\x7f]*$/.test(name) ? name : domainToASCII(name);
  const below = ascii.replace(/^\*?\.?/, '.');
  if (below === '.') return undefined;
  const isItselfMeant = below === `.${ascii}`;
  return (host) => host.endsWith(below) || (isItselfMeant && host === ascii);
}

/** `host`, `host:port`, `[IPv6]` or `[IPv6]:port`; an IPv6 address without brackets has no port. */
function splitPort(entry: string): readonly [host: string, port?: string] {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) return [entry];
  return port === undefined ? [host] : [host, port];
}

function holds(block: BlockList, host: string): boolean {
  const family = familyOf(host);
  return family !== undefined && block.check(host, family);
}

/** Addresses of one link (`fe80::1%eth0`) are none that a URL can have. */
function familyOf(host: string): 'ipv4' | 'ipv6' | undefined {
  if (host.includes('%') || isIP(host) === 0) return undefined;
  return isIP(host) === 4 ? 'ipv4' : 'ipv6';
}
