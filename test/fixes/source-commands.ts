/** The commands that messages of the programs print, as their source has them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { projectDirectory } from '../bed/project-directory.ts';

/** A command in the source; what is filled in, by the program or by people, is `…`. */
export interface SourceCommand {
  readonly text: string;
  /** Relative to the project. */
  readonly file: string;
}

/** Programs with the words that make a mention of one a command. */
const INVOCATION = new RegExp(
  '\\b(?:' +
    [
      'notary (?:-s|init|publish|key|witness|delegation|addhash|remove|list|lookup|verify|delete|reset) [^ ]',
      'docker (?:trust (?:key|signer) [a-z]+|(?:trust (?:sign|inspect|revoke)|pull|push|login|build) [-<…])',
      'kubectl (?:-n|--|annotate|apply|auth|create|delete|describe|edit|get|label|logs|patch|replace|rollout|scale|top)',
      'kp image\\b',
      '(?:openssl|ssh-keygen) [-a-z0-9]+',
      '(?:curl|base64|chmod|chown) [-/<0-9…]',
    ].join('|') +
    ')',
);

/** Every command that the source writes with `` command`…` ``. */
export function sourceCommands(): readonly SourceCommand[] {
  return sources().flatMap(({ file, tree }) =>
    templatesOf(tree)
      .filter(isCommand)
      .map(({ template }) => ({ text: withGaps(textOf(template)), file })),
  );
}

/** Texts with a command in them that is not written with `` command`…` ``. */
export function unmarkedCommands(): readonly SourceCommand[] {
  return sources().flatMap(({ file, tree }) => {
    const commands = new Set<ts.Node>(
      templatesOf(tree)
        .filter(isCommand)
        .map((t) => t.template),
    );
    return textsOf(tree)
      .filter((node) => !commands.has(node) && INVOCATION.test(textOf(node)))
      .map((node) => ({ text: textOf(node), file }));
  });
}

/** A command with a gap for each value, and for each `<placeholder>`. */
export function withGaps(text: string): string {
  return text.replace(/<[^<>]+>/g, '…');
}

/** What a command of the source looks like when it is printed, with values in its gaps. */
export function printedForm(text: string): RegExp {
  const parts = text.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('(.+?)')}$`);
}

type Text = ts.TemplateLiteral | ts.StringLiteral;

function isCommand({ tag }: ts.TaggedTemplateExpression): boolean {
  return ts.isIdentifier(tag) && tag.text === 'command';
}

function templatesOf(tree: ts.Node): ts.TaggedTemplateExpression[] {
  return nodesOf(tree).filter(ts.isTaggedTemplateExpression);
}

function textsOf(tree: ts.Node): Text[] {
  return nodesOf(tree).filter(
    (node): node is Text =>
      ts.isTemplateExpression(node) ||
      ts.isNoSubstitutionTemplateLiteral(node) ||
      ts.isStringLiteral(node),
  );
}

function nodesOf(tree: ts.Node): ts.Node[] {
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return nodes;
}

function textOf(node: Text): string {
  if (!ts.isTemplateExpression(node)) return node.text;
  return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
}

function sources(): { file: string; tree: ts.SourceFile }[] {
  const root = projectDirectory();
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const file = join('src', name);
      const text = readFileSync(join(root, file), 'utf8');
      return { file, tree: ts.createSourceFile(file, text, ts.ScriptTarget.ES2023) };
    });
}
