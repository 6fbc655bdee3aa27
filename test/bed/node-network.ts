/** The network of the one node: a bridge that the kubelet, the API server and all pods are on. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from './command.ts';

const BRIDGE = 'bed0';
const SUBNET = '10.88.7';
/**
 * Locally administered. Without an address of its own a bridge takes the lowest one of its ports: it
 * would change as pods come and go, and connections would hang until neighbours ask again.
 */
const BRIDGE_ADDRESS = '02:00:0a:58:07:01';

/** Where the node is to its pods, and what runs on it beside them. */
export const NODE_ADDRESS = `${SUBNET}.1`;
/**
 * The Service `kubernetes` has the first address of its range. It is an address of the node here, so
 * that pods find the API server there without a kube-proxy.
 */
export const API_ADDRESS = '10.96.0.1';
export const SERVICE_RANGE = '10.96.0.0/24';

/**
 * Makes the bridge. What packets leave it go nowhere: in the network namespace of the bed there is
 * nothing else.
 *
 * @param directory gets the configuration of the CNI plug-ins and their leases; exists
 * @returns the directory of that configuration
 * @throws Error with the output of ip
 */
export async function makeNodeNetwork(directory: string): Promise<string> {
  const ip = (...args: readonly string[]) => succeed({ program: 'ip', args, directory });
  await ip('link', 'add', BRIDGE, 'address', BRIDGE_ADDRESS, 'type', 'bridge');
  await ip('address', 'add', `${NODE_ADDRESS}/24`, 'dev', BRIDGE);
  await ip('address', 'add', `${API_ADDRESS}/32`, 'dev', BRIDGE);
  await ip('link', 'set', BRIDGE, 'up');
  const configurations = join(directory, 'cni');
  await mkdir(configurations, { recursive: true });
  const network = {
    cniVersion: '0.4.0',
    name: 'bed',
    plugins: [
      {
        type: 'bridge',
        bridge: BRIDGE,
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: join(directory, 'cni-leases'),
          ranges: [[{ subnet: `${SUBNET}.0/24`, rangeStart: `${SUBNET}.10` }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  };
  await writeFile(join(configurations, '10-bed.conflist'), JSON.stringify(network));
  return configurations;
}
