// Turns a module, as the bundler writes it, into the text of a function that takes `require` and returns the exports:
// Node's loader of modules alone would cost a command more than all else that it does (see src/cli/launch.ts).
import ts from "typescript";

/** @typedef {{ start: number, end: number, text: string }} Edit */

/**
 * Names are bound once, so what is exported must not change afterwards.
 * @param {string} code
 */
export function asFunction(code) {
  const file = ts.createSourceFile("chunk.js", code, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  const statements = file.statements.flatMap((statement) => statementEdit(statement) ?? []);
  const body = edited(code, [...statements, ...lazyImportsIn(file)]);
  return `(function (require, $import, $now, __filename, __dirname) { "use strict";\n${body}})\n`;
}

/**
 * @param {ts.Statement} statement
 * @returns {Edit | undefined}
 */
function statementEdit(statement) {
  const [start, end] = [statement.getStart(), statement.getEnd()];
  if (ts.isImportDeclaration(statement)) return { start, end, text: requiring(statement) };
  if (ts.isExportDeclaration(statement)) return { start, end, text: returning(statement) };
  if (ts.isExportAssignment(statement)) throw new Error(`no such export is expected: ${statement.getText()}`);
  return undefined;
}

/** @param {ts.ImportDeclaration} statement */
function requiring({ importClause, moduleSpecifier }) {
  const taken = `require(${moduleSpecifier.getText()});`;
  if (importClause === undefined) return taken;
  const { name, namedBindings } = importClause;
  if (name !== undefined && namedBindings === undefined) return `var ${name.text} = ${taken}`;
  if (name !== undefined || namedBindings === undefined || !ts.isNamedImports(namedBindings))
    throw new Error(`no such import is expected: ${importClause.getText()}`);
  const names = namedBindings.elements.map(({ propertyName, name: own }) =>
    propertyName === undefined ? own.text : `${propertyName.text}: ${own.text}`,
  );
  return `var { ${names.join(", ")} } = ${taken}`;
}

/** @param {ts.ExportDeclaration} statement */
function returning({ exportClause, moduleSpecifier }) {
  if (exportClause === undefined || !ts.isNamedExports(exportClause) || moduleSpecifier !== undefined)
    throw new Error("the bundler is expected to list what a chunk exports");
  const names = exportClause.elements.map(({ propertyName, name }) =>
    propertyName === undefined ? name.text : `${name.text}: ${propertyName.text}`,
  );
  return `return { ${names.join(", ")} };`;
}

/**
 * Chunks and Node's own modules are taken as everything else; a user's module needs the real `import`.
 * @param {ts.Node} node
 * @returns {Edit[]}
 */
function lazyImportsIn(node) {
  /** @type {Edit[]} */
  const inside = [];
  ts.forEachChild(node, (child) => void inside.push(...lazyImportsIn(child)));
  if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.ImportKeyword) return inside;
  const [name] = node.arguments;
  if (name !== undefined && ts.isStringLiteral(name) && /^(\.\/|node:)/.test(name.text))
    return [
      {
        start: node.getStart(),
        end: node.getEnd(),
        text: `Promise.resolve().then(() => require(${name.getText()}))`,
      },
    ];
  const { expression } = node;
  return [...inside, { start: expression.getStart(), end: expression.getEnd(), text: "$import" }];
}

/**
 * @param {string} code
 * @param {readonly Edit[]} edits
 */
function edited(code, edits) {
  const fromTheEnd = [...edits].sort((one, other) => other.start - one.start);
  return fromTheEnd.reduce(
    (text, { start, end, text: by }) => text.slice(0, start) + by + text.slice(end),
    code,
  );
}
