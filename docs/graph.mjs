/**
 * Draws which room of src/ imports which, as docs/explanation/graph.svg: `npm run graph`. With --check, says whether
 * the picture there is that of the code.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { instance } from '@viz-js/viz';
import { cruise } from 'dependency-cruiser';
import config, { ROOMS } from '../.dependency-cruiser.mjs';

const FILE = new URL('./explanation/graph.svg', import.meta.url);
const MAINS = ['sidecar', 'webhook'];

const roomOf = (file) => file.replace(/^src\//, '').replace(/\/[^/]+$/, '');

const { output } = await cruise(['src'], { ...config.options, includeOnly: '^src/' });
const edges = new Set();
for (const { source, dependencies } of output.modules) {
  for (const { resolved } of dependencies) {
    const [from, to] = [roomOf(source), roomOf(resolved)];
    // Everything may import src/shared: its edges would hide all others.
    if (from !== to && to !== 'shared') edges.add(`"${from}" -> "${to}"`);
  }
}
const nodes = Object.entries(ROOMS).map(([room, { edges }]) => {
  const label = MAINS.includes(room) ? `${room} (main)` : room;
  return `"${room}" [label="${label}"${edges?.length === 0 ? ', fillcolor="#d9ead3"' : ''}]`;
});
const dot = `digraph {
  rankdir=TB; bgcolor=transparent;
  node [shape=box, style="filled,rounded", fillcolor="#ffffff", fontname="Helvetica,Arial,sans-serif", fontsize=11, margin="0.25,0.08"];
  edge [color="#777777", arrowsize=0.7];
  ${[...nodes, ...[...edges].sort()].join(';\n  ')};
}`;
const svg = (await instance()).renderString(dot, { format: 'svg' });

if (!process.argv.includes('--check')) {
  writeFileSync(FILE, svg);
} else if (readFileSync(FILE, 'utf8') !== svg) {
  console.error('docs/explanation/graph.svg is not the graph of src/: npm run graph');
  process.exitCode = 1;
}
