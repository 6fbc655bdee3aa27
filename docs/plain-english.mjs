/**
 * Finds what is hard to read in pages, comments and messages: long sentences, words that the field
 * does not use, and "we" in the code. Code, URLs and names of files are left out.
 */
import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';

const MOST_WORDS = 35;
const COINED = [
  ['authority, not CA', /(?<![-\w]|certificate )authorit(y|ies)\b/i],
  ['patience, not retry', /\bpatience\b/i],
  ['quiet period, not shutdown delay', /(?<!-)\bquiet[ -]periods?\b/i],
  ['race lost, not conflict', /\brace (is |was )?lost\b|\blos(es?|t|ing|ers? of) \w+ race\b/i],
  ['cannot be told, not unknown', /\bcan(not| not|'t) be told\b(?! apart| from)/i],
];
const WE = ['we, us or our', /\b([Ww]e|[Uu]s|[Oo]urs?|[Oo]urselves)\b/];

/** Checks each sentence of Markdown or JSDoc that begins on a line; items and cells end sentences. */
function check(file, line, text, rules = COINED) {
  const lineEnds = (code) => `_${code.replace(/[^\n]/g, '')}`;
  const prose = text
    .replace(/^\s*```[^]*?^\s*```$/gm, (code) => `\0${lineEnds(code)}\0`)
    .replace(/`[^`\n]*(\n[^`\n]+)*`|\{@link[^}]*\}|https?:\/\/[^\s)]+/g, lineEnds)
    .replace(/\]\([^)]*\)|\*\*|\[/g, '')
    .replace(/[^\s(|]*\w[/._]\w[^\s|]*?(?=[.!?:,;)]*(\s|$))/g, '_')
    .replace(/^[ \t]*([-*+]|\d+\.|#+|@\w+)[ \t]/gm, '\0')
    .replace(/^[ \t]*\|.*$/gm, (row) => `${row.replace(/\|/g, '\0')}\0`)
    .replace(/\n(?=[ \t>]*\n)/g, '\n\0');
  for (const sentence of prose.split(/\0|(?<=[.!?][)"'”]*)(?=\s)/)) {
    const words = sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}_]/u.test(word));
    const found = rules.filter(([, rule]) => rule.test(words.join(' '))).map(([what]) => what);
    if (words.length > MOST_WORDS) found.push(`a sentence of ${words.length} words`);
    const begin = line + sentence.slice(0, sentence.search(/\S|$/)).split('\n').length - 1;
    for (const what of found) {
      console.log(`${file}:${begin}: ${what}: ${words.slice(0, 8).join(' ')} …`);
      process.exitCode = 1;
    }
    line += sentence.split('\n').length - 1;
  }
}

/** What a string says, in parts or not; values in it count as a word each. */
function said(node) {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    const parts = [node.head, ...node.templateSpans.map(({ literal }) => literal)];
    return parts.map(({ text }) => text).join('_');
  }
  const isSum = ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken;
  return isSum ? (said(node.left) ?? '_') + (said(node.right) ?? '_') : undefined;
}

/** Checks comments, and strings of more than one word. */
function checkCode(file, source, rules) {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const comments = source.replace(/[^\n]/g, ' ').split('');
  const visit = (node, isPart) => {
    const text = said(node);
    // Of several lines, or made of parts, in a test: a program, or what a program is to say.
    const isData = rules === COINED && (!ts.isStringLiteralLike(node) || /\n/.test(text));
    if (!isPart && !isData && /\S\s+\S/.test(text)) {
      const { line } = tree.getLineAndCharacterOfPosition(node.getStart());
      check(file, line + 1, text, rules);
    }
    const before = ts.getLeadingCommentRanges(source, node.pos) ?? [];
    const after = ts.getTrailingCommentRanges(source, node.end) ?? [];
    for (const { pos, end } of [...before, ...after]) {
      comments.splice(pos, end - pos, ...source.slice(pos, end).split(''));
    }
    // A sum has said what its parts say; a tagged text is code.
    const holdsParts =
      ts.isTaggedTemplateExpression(node) || (ts.isBinaryExpression(node) && text !== undefined);
    for (const child of node.getChildren()) visit(child, holdsParts);
  };
  visit(tree, false);
  const text = comments.join('').replace(/^[ \t]*(\/\/|\/?\*+\/?)|\*\/[ \t]*$/gm, '');
  check(file, 1, text, rules);
}

const filesIn = (directory, ending) =>
  readdirSync(directory, { recursive: true })
    .filter((name) => name.endsWith(ending))
    .map((name) => `${directory}/${name}`)
    .sort();

const rootPages = readdirSync('.').filter((name) => name.endsWith('.md'));
for (const page of [...rootPages, 'certs/README.md', ...filesIn('docs', '.md')]) {
  check(page, 1, readFileSync(page, 'utf8'));
}
for (const [directory, rules] of [
  ['src', [...COINED, WE]],
  ['test', COINED],
  ['bench', COINED],
  ['demo', COINED],
]) {
  for (const file of filesIn(directory, '.ts')) checkCode(file, readFileSync(file, 'utf8'), rules);
}
