import tseslint from "typescript-eslint";

// The size limits make a missing noun visible; tests may tell long stories.
const sizes = {
  "max-lines-per-function": ["error", { max: 40, skipBlankLines: true, skipComments: true }],
  "max-lines": ["error", { max: 250, skipBlankLines: true, skipComments: true }],
  "max-depth": ["error", 3],
  "max-params": ["error", 3],
  complexity: ["error", 10],
};

export default tseslint.config(
  { ignores: ["dist/", "coverage/", "node_modules/", "test/fixtures/"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...sizes,
      "@typescript-eslint/dot-notation": "off", // noPropertyAccessFromIndexSignature wants the brackets
    },
  },
  {
    files: ["test/**"],
    rules: Object.fromEntries(Object.keys(sizes).map((rule) => [rule, "off"])),
  },
);
