import { isolated } from '../bed/isolation.ts';
import { startCluster } from '../bed/cluster.ts';
const begin = performance.now();
const cluster = await startCluster(isolated(process.argv.slice(2)));
console.log(`up in ${Math.round(performance.now() - begin)} ms`);
console.log(await cluster.kubectl('get', 'nodes,svc,sa', '-A', '-o', 'wide'));
process.exit(0);
