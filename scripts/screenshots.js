// Takes the pictures of the demo's page in docs/images, light and dark. Needs Chromium (Debian:
// apt-get install chromium); CHROMIUM=path names another one. Run it with `npm run screenshots`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { root } from "./entries.js";

const path = (/** @type {string} */ file) => fileURLToPath(new URL(file, root));
const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];

// Small reports and few clients: the pictures show the clients that are sent below.
const demo = spawn(
  process.execPath,
  [`--env-file=${path("demo/threads.env")}`, path("build/demo/main.js"), "--clients=4"],
  { stdio: ["ignore", "pipe", "inherit"] },
);
let url = "";
for await (const line of createInterface(demo.stdout)) {
  console.log(line);
  url = /stays up: (\S+)/.exec(line)?.[1] ?? "";
  if (url !== "") break;
}

const browser = await chromium.launch({ executablePath, args });
try {
  const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
  await page.goto(url, { waitUntil: "domcontentloaded" });
  for (const mode of ["with", "without"]) {
    for (let i = 0; i < 4; i++) {
      await page.getByRole("button", { name: `Leave one request ${mode} contexts` }).click();
      await delay(150);
    }
  }
  await delay(4_000);
  mkdirSync(path("docs/images"), { recursive: true });
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: path(`docs/images/page-${colorScheme}.png`) });
  }
} finally {
  await browser.close();
  demo.kill("SIGINT");
  await once(demo, "close");
}
