/**
 * A base image without a registry: this machine's node with the libraries that it is linked to, laid
 * out as distroless has it.
 */
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { succeed } from './command.ts';

/** Where distroless keeps its node. */
const NODE = '/nodejs/bin/node';
const FILES: Readonly<Record<string, string>> = {
  '/etc/passwd':
    'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
  '/etc/group': 'root:x:0:\nnonroot:x:65532:\n',
  '/etc/nsswitch.conf': 'hosts: files dns\n',
};
/** What container runtimes mount on. */
const MOUNT_POINTS = ['dev', 'proc', 'sys'];

/**
 * Makes the root file system of the base; the same bytes and modes every time on one machine.
 *
 * @param root made; everything in it belongs to root, and nobody else can write it
 * @throws Error when the node that runs this cannot be looked into
 */
export async function createNodeBase(root: string): Promise<void> {
  const node = process.execPath;
  const linked = await succeed({ program: 'ldd', args: [node], directory: dirname(node) });
  // `libm.so.6 => /lib/…/libm.so.6 (0x…)`, and the loader as `/lib64/ld-linux-… (0x…)`.
  const libraries = [...linked.matchAll(/(?:^|\s)(\/\S+) \(0x/gm)].map(([, file = '']) => file);
  const programs = [[node, NODE], ...libraries.map((file) => [file, file])];
  await mkdir(root, { recursive: true });
  for (const [source = '', target = ''] of programs) {
    const file = await placeFor(root, target);
    await copyFile(source, file);
    await chmod(file, 0o555);
  }
  for (const [target, content] of Object.entries(FILES)) {
    const file = await placeFor(root, target);
    await writeFile(file, content);
    await chmod(file, 0o444);
  }
  for (const name of MOUNT_POINTS) await placeFor(root, `${name}/.`);
}

/** Where a file of the base goes, with the directories above it there, and readable. */
async function placeFor(root: string, path: string): Promise<string> {
  const file = join(root, path);
  for (let above = dirname(path); ; above = dirname(above)) {
    await mkdir(join(root, above), { recursive: true });
    await chmod(join(root, above), 0o755);
    if (above === '/' || above === '.') return file;
  }
}
