import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

// The size limits make a missing noun visible; tests may tell long stories.
/** @type {import("eslint").Linter.RulesRecord} */
const sizes = {
  "max-lines-per-function": ["error", { max: 40, skipBlankLines: true, skipComments: true }],
  "max-lines": ["error", { max: 250, skipBlankLines: true, skipComments: true }],
  "max-depth": ["error", 3],
  "max-params": ["error", 3],
  complexity: ["error", 10],
};

export default defineConfig(
  { ignores: ["dist/", "dist.*/", "coverage/", "quickstart/", "test/fixtures/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["*.config.js", "*.config.ts", ".dependency-cruiser.js"] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      ...sizes,
      "@typescript-eslint/dot-notation": "off", // noPropertyAccessFromIndexSignature wants the brackets
      // const { gone: _gone, ...kept } = value: the way to leave a member out of a copy.
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      eqeqeq: "error",
      "no-restricted-syntax": [
        "error",
        { selector: "CallExpression[callee.name='eval']", message: "A queue holds data, never code." },
        { selector: "NewExpression[callee.name='Function']", message: "A queue holds data, never code." },
        {
          selector: "ExportNamedDeclaration > VariableDeclaration[kind!='const']",
          message: "The commands' files take what others export once: see scripts/as-function.mjs.",
        },
      ],
    },
  },
  {
    files: ["test/**"],
    rules: Object.fromEntries(Object.keys(sizes).map((rule) => [rule, "off"])),
  },
  {
    // The commands have no extension, so no project of TypeScript takes them in.
    files: ["scripts/publish-task", "scripts/runjobs", "scripts/memq"],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { parserOptions: { projectService: false }, sourceType: "commonjs" },
    rules: { "@typescript-eslint/no-require-imports": "off" }, // the loader of modules alone takes 9 ms
  },
);
