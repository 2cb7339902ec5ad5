// Compares the public API, as dist declares it, with the reports in api/. With --update it rewrites
// the reports, so that a change of the API shows in the diff.
import { mkdirSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor";
import { entries, root } from "./entries.js";

const update = process.argv.includes("--update");
const path = (/** @type {string} */ file) => fileURLToPath(new URL(file, root));
mkdirSync(path("api"), { recursive: true });

for (const [name, file] of entries) {
  const report = `${basename(name) || "index"}.api.md`;
  const config = ExtractorConfig.prepare({
    configObjectFullPath: path("api-extractor.json"),
    packageJsonFullPath: path("package.json"),
    configObject: {
      projectFolder: path("."),
      mainEntryPointFilePath: path(file.replace(/\.js$/, ".d.ts")),
      compiler: { tsconfigFilePath: path("tsconfig.build.json") },
      newlineKind: "lf",
      apiReport: {
        enabled: true,
        reportFileName: report,
        reportFolder: path("api"),
        reportTempFolder: path("build/api"),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        extractorMessageReporting: {
          default: { logLevel: ExtractorLogLevel.None, addToApiReportFile: true },
          "ae-missing-release-tag": { logLevel: ExtractorLogLevel.None },
          "ae-undocumented": { logLevel: ExtractorLogLevel.None },
          // An integration uses types of the root, and does not export them itself.
          "ae-forgotten-export": {
            logLevel: ExtractorLogLevel.None,
            addToApiReportFile: name === "",
          },
        },
        // The comments are Markdown, not TSDoc.
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  });
  const result = Extractor.invoke(config, {
    localBuild: update,
    messageCallback(message) {
      message.handled = message.logLevel !== ExtractorLogLevel.Error; // the lines below are shorter
    },
  });
  if (update || !result.apiReportChanged) {
    console.log(`${result.apiReportChanged ? "wrote" : "same"}  api/${report}`);
  } else {
    console.error(`api/${report} differs: run \`npm run api:update\` and commit it if it is meant`);
  }
  if (!result.succeeded && !(update && result.errorCount === 0)) process.exitCode = 1;
}
