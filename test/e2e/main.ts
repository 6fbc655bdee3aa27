import { join } from 'node:path';
import { runIsolated } from '../bed/isolation.ts';
console.log(await runIsolated(join(import.meta.dirname, 'story-main.js'), []));
