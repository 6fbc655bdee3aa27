/** The short form of `npm run stress -- flood`. How long a pod takes is for that to judge. */
import t from 'tap';
import { needKubernetes } from '../bed/kubernetes-programs.ts';
import { whyNoMemoryLimit } from '../bed/memory-limit.ts';
import { floods } from './flood.ts';

const SECONDS = 4;

needKubernetes(t);

t.test(
  'floods of bodies and of connections fill no memory, and no honest pod is lost',
  { skip: whyNoMemoryLimit() ?? false },
  async (t) => {
    for await (const report of floods({ names: ['strings', 'slow'], seconds: SECONDS })) {
      t.ok(report.posted > SECONDS, `${report.name}: ${report.posted} pods were posted`);
      t.equal(report.lost, 0, `${report.name}: none was lost`);
      t.ok(report.memory <= 400, `${report.name}: ${report.memory.toFixed(0)} MiB`);
    }
  },
);
